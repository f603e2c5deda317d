"""Watches a telemetry source: fetch, detect, group; and, live, open incidents and learn who calls whom."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db import transaction

from incidents import departures, lifecycle
from incidents.detection import baseline, correlation
from incidents.detection.anomaly import AnomalyGroup, Episode
from incidents.detection.signals import BUCKET_SECONDS, REQUESTS, is_service_level
from incidents.localization import topology
from incidents.localization.traces import TraceView
from incidents.models import Anomaly, Incident, Service, ServiceEdge
from incidents.telemetry.backend import TelemetryBackend
from incidents.telemetry.datamodel import MetricSeries, Window

LIVE = "live"
# What one tick looks at: long enough that a worker which was away misses nothing short, and at most so far back for an incident
# that lasts, so that its history stays free of it.
LOOK = timedelta(minutes=10)
LONGEST_LOOK = timedelta(hours=3)
# Exporters send every few seconds: the newest bucket is complete only after this.
SETTLE = timedelta(seconds=10)
# Edges are read from about so many spans.
EDGE_SPANS = 50_000
SPANS_PER_REQUEST = 4.0
LONGEST_SLICE = timedelta(minutes=2)
SHORTEST_SLICE = timedelta(seconds=10)

Edge = tuple[str, str]


def detect(
    backend: TelemetryBackend,
    *,
    window: Window,
    edges: Collection[Edge] | None = None,
    choose: Callable[[list[Episode]], list[Episode]] = list,
) -> list[AnomalyGroup]:
    """Return what went wrong in the window, by the time it could be said, judged by the hour before as well.

    `edges` are (caller, callee) pairs; without them they are read from a bounded number of spans. `choose` leaves out episodes that
    more than the last hour explains. Decisions are causal: none rests on samples later than its own time. Raises TelemetryError when
    the backend cannot answer.
    """
    series = backend.fetch_metrics(Window(window.start - baseline.HISTORY, window.end))
    episodes = choose(baseline.find_episodes(series, window=window))
    if not episodes:
        return []
    if edges is None:
        edges = edges_of(backend, window=window, series=series)
    return correlation.group(episodes, edges=edges)


def edges_of(backend: TelemetryBackend, *, window: Window, series: Sequence[MetricSeries]) -> frozenset[Edge]:
    """Return who calls whom, read from spans at both ends of the part of the window that has any: trouble can hide calls.

    Where there are requests, and so how long a slice may be, the series tell: a busy system is not read whole.
    """
    inside = [one.between(window) for one in series if one.key.name == REQUESTS and is_service_level(one.key)]
    rates = [one for one in inside if len(one.times)]
    if not rates:
        return frozenset()
    per_second = sum(float(np.nanmean(one.values)) for one in rates) * SPANS_PER_REQUEST
    length = min(max(timedelta(seconds=EDGE_SPANS / max(per_second, 1.0)), SHORTEST_SLICE), LONGEST_SLICE)
    begin = _utc(min(one.times[0] for one in rates) - BUCKET_SECONDS)
    end = _utc(max(one.times[-1] for one in rates))
    slices = {Window(begin, min(begin + length, end)), Window(max(end - length, begin), end)}
    found: set[Edge] = set()
    for one in slices:
        table = backend.fetch_spans(one)
        everything = np.ones(len(table), dtype=np.bool_)
        found |= topology.edges(TraceView(table, before=everything, recent=everything, after=everything))
    return frozenset(found)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def open_live(*, store: TelemetryBackend, now: datetime) -> list[Incident]:
    """Look at a source once, as beat asks for it: open or update incidents. Return those that were touched, newest last.

    Safe to run twice at once and to repeat. Raises TelemetryError when the source cannot answer.
    """
    window = live_window(now=now)
    recent = Window(max(window.start, window.end - LONGEST_SLICE), window.end)
    series = store.fetch_metrics(recent)
    if not series:
        return []
    learn_edges(edges_of(store, window=recent, series=series), now=now)
    groups = detect(
        store,
        window=window,
        edges=known_edges(now=now),
        choose=lambda episodes: departures.worth_telling(episodes, now=now),
    )
    touched = [lifecycle.open_or_join(group, source=LIVE, now=now) for group in groups]
    return list({incident.pk: incident for incident in touched}.values())


def live_window(*, now: datetime) -> Window:
    """Return what a live tick looks at: the last ten minutes, or since before the oldest departure that still lasts or waits to be told."""
    end = now - SETTLE
    lasting = (
        Anomaly.objects.filter(incident__source=LIVE, ended_at=None, started_at__gte=end - LONGEST_LOOK)
        .exclude(incident__status__in=lifecycle.OVER)
        .order_by("started_at")
        .values_list("started_at", flat=True)
        .first()
    )
    since = [began for began in (lasting, departures.waiting_since(now=now, back=LONGEST_LOOK)) if began is not None]
    start = min([end - LOOK, *(began - timedelta(minutes=1) for began in since)])
    return Window(start, end)


def known_edges(*, now: datetime) -> frozenset[Edge]:
    """Return the (caller, callee) pairs seen within a day, with what people added and without what they removed."""
    return frozenset(ServiceEdge.objects.known(now=now).values_list("caller__name", "callee__name"))


def learn_edges(edges: Collection[Edge], *, now: datetime) -> None:
    """Remember who calls whom. Services not known yet become known by it."""
    if not edges:
        return
    names = {name[:200] for edge in edges for name in edge}
    with transaction.atomic():
        Service.objects.bulk_create(
            [Service(name=name, first_seen_at=now, last_seen_at=now) for name in sorted(names)], ignore_conflicts=True
        )
        ids = dict(Service.objects.filter(name__in=names).values_list("name", "pk"))
        ServiceEdge.objects.bulk_create(
            [
                ServiceEdge(caller_id=ids[caller[:200]], callee_id=ids[callee[:200]], last_seen_at=now)
                for caller, callee in sorted(edges)
            ],
            update_conflicts=True,
            unique_fields=("caller", "callee"),
            update_fields=("last_seen_at",),
        )
