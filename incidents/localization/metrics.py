"""Which measured quantities left their usual range, service by service, and what kind of quantity each is."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from incidents.localization.significance import Floats, strength
from incidents.telemetry.datamodel import MetricSeries, SeriesKey

MIN_BEFORE = 4
# A series that never moved still may by a twentieth of its level without meaning anything.
LEAST_SPREAD = 0.05
# Things that are counted one by one (units in braces: {connection}) come and go by ones and twos.
A_FEW = 3.0


class Sort(StrEnum):
    """What a series measures, as far as its name and unit tell."""

    RESOURCE = "resource"  # what the service uses up: when it runs out, the cause is here
    LATENCY = "latency"  # how long it takes: also rises in every caller of the service at fault
    FAILURE = "failure"  # how often it fails: likewise
    TRAFFIC = "traffic"  # how much is asked of it: follows from what happens elsewhere
    SHARED = "shared"  # of a machine that others use too
    OTHER = "other"


# How much a series of each sort says about its own service. Resources belong to the service alone; latency and failures spread to
# callers; traffic and shared machines mostly show what others do.
WEIGHTS: Mapping[Sort, float] = {
    Sort.RESOURCE: 1.0,
    Sort.LATENCY: 0.6,
    Sort.FAILURE: 0.6,
    Sort.TRAFFIC: 0.15,
    Sort.SHARED: 0.15,
    Sort.OTHER: 0.3,
}
# In order of precedence. Words as in the OpenTelemetry semantic conventions and Prometheus exporters.
_WORDS: Sequence[tuple[Sort, re.Pattern[str]]] = (
    (Sort.SHARED, re.compile(r"^(node|host|machine|instance)[._]")),
    (Sort.LATENCY, re.compile(r"latency|duration|response_?time|elapsed|wait")),
    (Sort.FAILURE, re.compile(r"error|fail|exception|fault|success|availab|timeout|reject|retr(y|ies)|abort")),
    (
        Sort.RESOURCE,
        re.compile(
            r"cpu|memory|heap|rss|disk|filesystem|usage|utili[sz]ation|saturation|pool|connections?|threads?|goroutine|file_?desc|fds?\b"
            r"|queue|backlog|lag\b|gc\b|garbage|pause|throttl|evict|lock|swap|miss"
        ),
    ),
    (
        Sort.TRAFFIC,
        re.compile(r"request|ops|rate|throughput|bytes|packets|net|syscall|calls|count|qps|rps|sum$|total$"),
    ),
)
# Where more is better, only a fall is a sign of trouble.
_GOOD = re.compile(r"success|availab|hit|free|idle")
_TRAFFIC_UNIT = re.compile(r"^(1|\{\w+\})/(s|min)$")
# Latency estimates come in several quantiles; one of a family is enough to speak for it.
_FAMILY = re.compile(
    r"[._]?(p\d+|avg|mean|median|max|min|pct|percent|ratio|millicores|mib|bytes|seconds|s|ms)(?=$|[._|])"
)


@dataclass(frozen=True)
class Departure:
    """One series that left its usual range: its median before, the value farthest from it during the incident, in the series' unit.

    `since` is when the first sample out of range was taken, in epoch seconds. `strength` as in `significance`.
    """

    key: SeriesKey
    sort: Sort
    before: float
    after: float
    strength: float
    since: float


def departures(
    incident: Iterable[MetricSeries],
    *,
    reference: Iterable[MetricSeries],
    baseline: Iterable[MetricSeries],
    skip: Collection[Sort] = (),
) -> list[Departure]:
    """Return the series that left their usual range, strongest first, one for each family of a service. Sorts in `skip` are left out.

    Usual is the baseline, or the reference where it has too few samples of a series; NaN is ignored.
    """
    usual = {series.key: series.values for series in reference}
    for series in baseline:
        if len(series.values) >= MIN_BEFORE or series.key not in usual:
            usual[series.key] = series.values
    sorts = ((series, sort_of(series.key)) for series in incident)
    found = [
        departure
        for series, sort in sorts
        if sort not in skip and (departure := _departure(series, sort, usual.get(series.key))) is not None
    ]
    best: dict[tuple[str, str, Sort], Departure] = {}
    for departure in found:
        family = (departure.key.service, _FAMILY.sub("", departure.key.name.lower()), departure.sort)
        held = best.get(family)
        if held is None or _speaks(departure) > _speaks(held):
            best[family] = departure
    return sorted((one for one in best.values() if one.strength > 0), key=lambda one: -one.strength)


def sort_of(key: SeriesKey) -> Sort:
    """Return what the series measures, by its name and unit."""
    name = key.name.lower()
    if _TRAFFIC_UNIT.match(key.unit):
        return Sort.TRAFFIC
    return next((sort for sort, words in _WORDS if words.search(name)), Sort.OTHER)


def ceiling(key: SeriesKey) -> float | None:
    """Return the most that the series can reach: 100 of a percentage, 1 of a ratio; None where nothing says so."""
    name, unit = key.name.lower(), key.unit.lower()
    if unit in {"%", "percent"} or re.search(r"pct|percent", name):
        return 100.0
    if (unit == "1" and re.search(r"utili[sz]ation|ratio|share", name)) or re.search(
        r"utili[sz]ation$|[._]ratio$", name
    ):
        return 1.0
    return None


def _speaks(departure: Departure) -> tuple[bool, float]:
    """Of series that measure the same thing, the one with a ceiling tells best whether it ran out."""
    return ceiling(departure.key) is not None, departure.strength


def _departure(series: MetricSeries, sort: Sort, usual: Floats | None) -> Departure | None:
    known = np.sort(usual[~np.isnan(usual)]) if usual is not None else np.empty(0)
    seen = ~np.isnan(series.values)
    if len(known) < MIN_BEFORE or not seen.any():
        return None
    times, values = series.times[seen], series.values[seen]
    middle = float(known[len(known) // 2])
    low, high = known[int(0.05 * (len(known) - 1) + 0.5)], known[int(0.95 * (len(known) - 1) + 0.5)]
    deviation = float(np.sort(np.abs(known - middle))[len(known) // 2])
    # A normal sample's 5th and 95th percentiles lie 3.29 standard deviations apart.
    spread = max(1.4826 * deviation, float(high - low) / 3.29, LEAST_SPREAD * abs(middle), 1e-12)
    sign = -1.0 if _GOOD.search(series.key.name.lower()) else 1.0
    sigmas = (values - middle) / spread * sign
    if sort is Sort.TRAFFIC:
        sigmas = np.abs(sigmas)
    # The median of the worst half: one sample among many proves little, a fault that ends early still shows.
    worst = np.argsort(-sigmas, kind="stable")[: (len(sigmas) + 1) // 2]
    place = worst[len(worst) // 2]
    size = _size(series.key, sort, middle, float(values[place]))
    score = float(strength(sigmas[place : place + 1], np.array([WEIGHTS[sort] * size]))[0])
    since = float(times[np.flatnonzero(sigmas >= sigmas[place] / 2)[0]]) if sigmas[place] > 0 else float(times[0])
    return Departure(series.key, sort, middle, float(values[place]), score, since)


def _size(key: SeriesKey, sort: Sort, before: float, after: float) -> float:
    """Return the practical size of a change, in [0, 1].

    Where there is a ceiling, how much of the delay behind a resource is new: queues grow with 1 / (1 - u^2) for a load u on two
    servers (Sakasegawa 1977), so a rise far below the ceiling matters little. Elsewhere the share of the larger value that is new.
    """
    top = ceiling(key)
    if top is not None and sort is Sort.RESOURCE:
        load_before, load_after = (min(max(value / top, 0.0), 0.99) for value in (before, after))
        return 1 - (1 - load_after**2) / (1 - load_before**2)
    if top is not None:
        return abs(after - before) / top
    few = A_FEW if key.unit.startswith("{") else 1e-12
    return abs(after - before) / (max(abs(after), abs(before)) + few)
