"""Which service is at fault: fetch both windows, measure every signal, let them argue, and say why."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from incidents.localization import arbitration, confidence, families, findings, reasons, topology
from incidents.localization.arbitration import Verdict
from incidents.localization.execution import path_changes
from incidents.localization.findings import Lead
from incidents.localization.latency import blame_hops, compared_hops, hops, own_time
from incidents.localization.log_rates import line_changes
from incidents.localization.log_templates import template_lines
from incidents.localization.metrics import Sort, departures
from incidents.localization.reach import unanswered
from incidents.localization.suspects import Grounds, Modality, Ranking, RuledOut, Suspect
from incidents.localization.topology import Edges
from incidents.localization.traces import TraceView, join
from incidents.telemetry.backend import TelemetryBackend
from incidents.telemetry.datamodel import ChangeRecord, LogRecord, MetricSeries, SpanTable, Window

# What a reader can take in; the rest of the services showed nothing.
MAX_FINDINGS, MAX_RULED_OUT = 8, 6
# Lines of one window; the newest are kept.
MAX_LINES = 50_000
# A fault that a change brought shows within this time, or at the next peak, when it is no longer told apart by its time.
CHANGED_BEFORE = timedelta(minutes=15)
# Requests before it to compare with: fewer minutes of a busy system say as much, but never so few that a slow start hides in them.
MOST_BEFORE, LEAST_BEFORE = timedelta(minutes=10), timedelta(minutes=5)
ENOUGH_SPANS = 50_000
ALL_MODALITIES = frozenset({Modality.METRICS, Modality.TRACES, Modality.LOGS})


def rank(
    backend: TelemetryBackend,
    *,
    incident: Window,
    reference: Window,
    baseline: TelemetryBackend | None = None,
    baseline_window: Window | None = None,
    use: frozenset[Modality] = ALL_MODALITIES,
) -> Ranking:
    """Rank the services by how much speaks for a fault in each, likeliest first.

    `reference` is the time before the incident. A `baseline` is another recording known to be free of faults; its `baseline_window`
    is needed unless it has a `window` of its own. `use` limits the modalities looked at. Services of which nothing speaks follow
    with score 0, by name, so that every service seen is ranked. Raises TelemetryError when a backend cannot answer.
    """
    return rank_material(fetch(backend, incident, reference, baseline, baseline_window), use=use)


@dataclass(frozen=True)
class Material:
    """What was fetched: each of baseline, reference and incident."""

    metrics: tuple[Sequence[MetricSeries], Sequence[MetricSeries], Sequence[MetricSeries]]
    spans: tuple[SpanTable | None, SpanTable, SpanTable]
    lines: tuple[Sequence[LogRecord], Sequence[LogRecord], Sequence[LogRecord]]
    changes: Sequence[ChangeRecord]
    seconds: tuple[float, float, float]


def fetch(
    backend: TelemetryBackend,
    incident: Window,
    reference: Window,
    baseline: TelemetryBackend | None = None,
    baseline_window: Window | None = None,
) -> Material:
    """Return everything that ranking looks at. Raises TelemetryError when a backend cannot answer, ValueError without a baseline's window."""
    usual = _window_of(baseline, baseline_window)
    looked_at = Window(min(reference.start, incident.start), max(reference.end, incident.end))
    # Two questions at a time: while one answer is read, the backend works on the other.
    with ThreadPoolExecutor(max_workers=1) as aside:
        asked_metrics = aside.submit(backend.fetch_metrics, looked_at)
        asked_lines = aside.submit(backend.fetch_logs, incident, limit=MAX_LINES)
        spans = backend.fetch_spans(incident)
        recent = _recent(reference, spans_per_second=len(spans) / incident.seconds)
        recent_spans = backend.fetch_spans(recent)
        recent_lines = backend.fetch_logs(recent, limit=MAX_LINES)
        metrics, lines = asked_metrics.result(), asked_lines.result()
    return Material(
        metrics=(
            baseline.fetch_metrics(usual) if baseline and usual else [],
            _between(metrics, reference),
            _between(metrics, incident),
        ),
        spans=(baseline.fetch_spans(usual) if baseline and usual else None, recent_spans, spans),
        lines=(baseline.fetch_logs(usual, limit=MAX_LINES) if baseline and usual else [], recent_lines, lines),
        changes=backend.fetch_changes(Window(incident.start - CHANGED_BEFORE, incident.end)),
        seconds=(usual.seconds if usual else 0.0, recent.seconds, incident.seconds),
    )


def _window_of(baseline: TelemetryBackend | None, given: Window | None) -> Window | None:
    if baseline is None:
        return None
    window = given or getattr(baseline, "window", None)
    if not isinstance(window, Window):
        raise ValueError(
            f"{baseline.name} has no window of its own: pass baseline_window, the fault-free time to compare with."
        )
    return window


def _recent(reference: Window, *, spans_per_second: float) -> Window:
    """Return the end of the reference in which enough requests came to know what they usually do; a gauge needs all of it."""
    enough = timedelta(seconds=ENOUGH_SPANS / max(spans_per_second, 1e-9)) if spans_per_second else MOST_BEFORE
    length = min(max(enough, LEAST_BEFORE), MOST_BEFORE)
    return Window(max(reference.start, reference.end - length), reference.end)


def _between(series: Sequence[MetricSeries], window: Window) -> list[MetricSeries]:
    return [part for one in series if len((part := one.between(window)).times)]


def rank_material(material: Material, *, use: frozenset[Modality] = ALL_MODALITIES) -> Ranking:
    """Rank what was fetched, see `rank`."""
    baseline, reference, incident = material.spans
    view = join(baseline=baseline, reference=reference, incident=incident)
    edges = topology.edges(view)
    traced = Modality.TRACES in use and bool(view.after.any())
    leads: list[Lead] = []
    if traced:
        leads += _slow_leads(view, edges)
    if traced or Modality.LOGS in use:
        leads += _path_and_line_leads(view, material, use=use, traced=traced)
    if Modality.METRICS in use:
        leads += _metric_leads(material, traced=traced)
    leads += [findings.of_change(change) for change in material.changes]
    verdict = arbitration.judge(leads, view=view, edges=edges)
    ranking = _ranking(verdict, edges=edges, services=_services(material, view), missing=_missing(material))
    return confidence.stated(ranking, _grounds(verdict, material, view, use=use))


def _slow_leads(view: TraceView, edges: Edges) -> list[Lead]:
    leads = [findings.of_slowdown(view, slowdown) for slowdown in own_time(view)]
    leads += [findings.of_silence(view, silence) for silence in unanswered(view)]
    blames = blame_hops(hops(view), edges=edges, compared=compared_hops(view))
    return leads + [findings.of_hop(view, one.slowdown, blamed=one.service, factor=one.factor) for one in blames]


def _path_and_line_leads(view: TraceView, material: Material, *, use: frozenset[Modality], traced: bool) -> list[Lead]:
    lines = [line for side in material.lines for line in side] if Modality.LOGS in use else []
    templates = template_lines(lines)
    leads: list[Lead] = []
    spoken_for = np.zeros(len(lines), dtype=np.bool_)
    if traced:
        leads += [findings.of_path(view, change) for change in path_changes(view, lines=lines, templates=templates)]
        spoken_for = np.isin(np.array([line.span_id for line in lines], dtype=np.int64), view.table.span_id)
    before, after, amounts = _line_sides(material, view, len(lines))
    changes = line_changes(templates, before=before & ~spoken_for, after=after & ~spoken_for, requests=amounts)
    return leads + [findings.of_lines(change, lines) for change in changes]


def _line_sides(
    material: Material, view: TraceView, total: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[int, int]]:
    """Say which lines came before and which during the incident, and what to divide their numbers by: requests, or else seconds."""
    first, second = len(material.lines[0]), len(material.lines[1])
    place = np.arange(total)
    from_baseline = first > 0
    before = place < first if from_baseline else (place >= first) & (place < first + second)
    usual, recent, now = material.seconds
    requests = (
        view.requests
        if view.before.any() and view.after.any()
        else (round(usual if from_baseline else recent), round(now))
    )
    return before, place >= first + second, (max(1, requests[0]), max(1, requests[1]))


def _metric_leads(material: Material, *, traced: bool) -> list[Lead]:
    baseline, reference, incident = material.metrics
    # Spans tell what every request met; a series of latencies or counts of the same requests adds noise, not knowledge.
    told = (Sort.LATENCY, Sort.FAILURE, Sort.TRAFFIC) if traced else ()
    return [
        findings.of_departure(one) for one in departures(incident, reference=reference, baseline=baseline, skip=told)
    ]


def _services(material: Material, view: TraceView) -> list[str]:
    named = {series.key.service for series in material.metrics[2]} | {line.service for line in material.lines[2]}
    return sorted(named | set(view.table.services))


def _missing(material: Material) -> tuple[Modality, ...]:
    seen: dict[Modality, Sequence[object] | SpanTable] = {
        Modality.METRICS: material.metrics[2],
        Modality.TRACES: material.spans[2],
        Modality.LOGS: material.lines[2],
    }
    return tuple(modality for modality, records in seen.items() if not len(records))


def _grounds(verdict: Verdict, material: Material, view: TraceView, *, use: frozenset[Modality]) -> Grounds | None:
    """Return what the ranking rests on; None when nothing speaks against anyone."""
    order = sorted(verdict.totals, key=lambda service: (-verdict.totals[service], service))
    if not order:
        return None
    telling = {lead.finding.modality for lead in verdict.leads[order[0]] if lead.strength >= 1} - {Modality.CHANGES}
    entered = view.requests if view.after.any() and view.before.any() else (0, 0)
    return Grounds(
        first=verdict.totals[order[0]],
        second=verdict.totals[order[1]] if len(order) > 1 else 0.0,
        modalities=len(telling),
        looked_at=use - frozenset(_missing(material)),
        requests=min(entered) if Modality.TRACES in use else 0,
        has_baseline=bool(len(material.metrics[0]) or len(material.spans[0] or ()) or len(material.lines[0])),
    )


def _ranking(verdict: Verdict, *, edges: Edges, services: Sequence[str], missing: tuple[Modality, ...]) -> Ranking:
    scale = confidence.NOBODY + sum(verdict.totals.values())
    order = sorted(services, key=lambda service: (-verdict.totals.get(service, 0.0), service))
    suspects = tuple(
        Suspect(
            service,
            verdict.totals.get(service, 0.0) / scale,
            tuple(lead.finding for lead in verdict.leads.get(service, ())[:MAX_FINDINGS]),
            reasons.of_suspect(service, verdict.leads.get(service, ())),
            family=(family := families.family_of(verdict.leads.get(service, ()))),
            inner=families.inner_of(verdict.leads.get(service, ()), family),
        )
        for service in order
    )
    scores = [suspect.score for suspect in suspects] + [0.0, 0.0]
    ruled_out = tuple(
        RuledOut(one.lead.service, reasons.of_explained(one), one.because.finding)
        for one in reasons.worth_telling(verdict, leading=[suspect.service for suspect in suspects[:2]])
    )
    return Ranking(
        suspects,
        ruled_out[:MAX_RULED_OUT],
        margin=scores[0] - scores[1],
        missing=missing,
        edges=tuple(sorted(edges)),
        next_check=reasons.next_check(suspects, missing=missing, edges=edges),
    )
