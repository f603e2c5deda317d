"""Metric evidence: one series, what it did, and the points that its chart shows."""

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.wording import clock, moved, quantity
from incidents.detection.anomaly import Episode
from incidents.localization.suspects import Finding
from incidents.telemetry.datamodel import MetricSeries, SeriesKey, Window

MAX_POINTS = 300

_SPOKEN = {
    "requests_per_second": "requests per second",
    "error_ratio": "share of failed requests",
    "duration_p50": "median response time",
    "duration_p95": "p95 response time",
    "duration_p99": "p99 response time",
}


def label(key: SeriesKey) -> str:
    """Return what people call a series: "checkout share of failed requests of POST /pay"."""
    attributes = json.loads(key.attributes)
    operation = attributes.pop("operation", "")
    rest = ", ".join(f"{name} {value}" for name, value in attributes.items())
    return (
        f"{key.service} {_SPOKEN.get(key.name, key.name)}"
        + (f" of {operation}" if operation else "")
        + (f" ({rest})" if rest else "")
    )


def from_episode(
    episode: Episode, *, series: Mapping[SeriesKey, MetricSeries], window: Window, backend: str
) -> Evidence:
    """Return the item that shows an episode of detection: a symptom."""
    key = episode.key
    usual = f"usual {quantity(episode.usual_low, key.unit)} to {quantity(episode.usual_high, key.unit)}"
    verb = "rose to" if episode.direction == "up" else "dropped to"
    statement = (
        f"{label(key)} {verb} {quantity(episode.peak, key.unit)} at {clock(episode.peaked_at)} ({usual}); "
        f"it left its usual range at {clock(episode.started_at)}."
    )
    return Evidence(
        id="",
        kind=Kind.METRIC,
        role=Role.SYMPTOM,
        service=key.service,
        title=label(key),
        statement=statement,
        start=window.start,
        end=window.end,
        statistic={
            "peak": {"value": episode.peak, "unit": key.unit},
            "usual low": {"value": episode.usual_low, "unit": key.unit},
            "usual high": {"value": episode.usual_high, "unit": key.unit},
        },
        query=query_text(key),
        backend=backend,
        detail=chart(key, series.get(key), window=window, usual=(episode.usual_low, episode.usual_high)),
    )


def from_finding(
    finding: Finding, *, role: Role, series: Mapping[SeriesKey, MetricSeries], window: Window, backend: str
) -> Evidence:
    """Return the item that shows a finding of localization on a metric."""
    key = finding.series or SeriesKey(finding.service, finding.statistic, unit=finding.unit)
    since = f" at {clock(finding.onset_at)}" if finding.onset_at else ""
    return Evidence(
        id="",
        kind=Kind.METRIC,
        role=role,
        service=finding.service,
        title=label(key),
        statement=f"{label(key)} {moved(finding.before, finding.after, finding.unit)}{since}.",
        start=window.start,
        end=window.end,
        statistic={
            "before": {"value": _number(finding.before), "unit": finding.unit},
            "after": {"value": _number(finding.after), "unit": finding.unit},
        },
        query=query_text(key),
        backend=backend,
        detail=chart(key, series.get(key), window=window, usual=None),
    )


def traffic(series: Iterable[MetricSeries], *, incident: Window, window: Window, backend: str) -> Evidence | None:
    """Return the item that says whether the busiest service's traffic changed; None when there is no rate before and after."""
    rates = [s for s in series if s.key.name == "requests_per_second" and s.key.attributes == "{}"]
    if not rates:
        return None
    busiest = max(rates, key=lambda s: float(np.nansum(s.values)) if len(s.values) else 0.0)
    before = busiest.values[busiest.times < incident.start.timestamp()]
    after = busiest.values[busiest.times >= incident.start.timestamp()]
    if not len(before) or not len(after) or not np.nanmedian(before):
        return None
    usual, now = float(np.nanmedian(before)), float(np.nanmedian(after))
    factor = now / usual
    verdict = "as before" if 0.8 <= factor <= 1.25 else ("higher" if factor > 1 else "lower")
    return Evidence(
        id="",
        kind=Kind.METRIC,
        role=Role.CONTEXT,
        service=busiest.key.service,
        title=f"Traffic at {busiest.key.service}",
        statement=(
            f"Traffic at {busiest.key.service} is {verdict}: {quantity(now, '1/s')} during the incident, "
            f"{quantity(usual, '1/s')} before ({factor:.2f} ×)."
        ),
        start=window.start,
        end=window.end,
        statistic={
            "before": {"value": usual, "unit": "1/s"},
            "after": {"value": now, "unit": "1/s"},
            "factor": {"value": round(factor, 2), "unit": "×"},
        },
        query=query_text(busiest.key),
        backend=backend,
        detail=chart(busiest.key, busiest, window=window, usual=None),
    )


def chart(
    key: SeriesKey, series: MetricSeries | None, *, window: Window, usual: tuple[float, float] | None
) -> dict[str, object]:
    """Return what the page draws: at most 300 points in the window, missing values as None, and the usual band if known."""
    times: list[float] = []
    values: list[float | None] = []
    if series is not None:
        inside = series.between(window)
        for t, v in _thinned(inside.times, inside.values):
            times.append(round(t, 3))
            values.append(None if np.isnan(v) else float(v))
    low, high = usual or (None, None)
    return {
        "times": times,
        "values": values,
        "low": low,
        "high": high,
        "unit": key.unit,
        "label": label(key),
        "series": key._asdict(),
    }


def query_text(key: SeriesKey) -> str:
    """Return the series as a selector, the way that people write one."""
    labels = {"service": key.service, **json.loads(key.attributes)}
    return (
        key.name
        + "{"
        + ",".join(f"{name}={json.dumps(str(value), ensure_ascii=False)}" for name, value in labels.items())
        + "}"
    )


def _thinned(times: Sequence[float] | np.ndarray, values: np.ndarray) -> list[tuple[float, float]]:
    """Keep the extremes: of each run of samples the one farthest from the median, so that a peak never disappears."""
    if len(times) <= MAX_POINTS:
        return list(zip(map(float, times), map(float, values), strict=True))
    middle = float(np.nanmedian(values))
    kept = []
    for rows in np.array_split(np.arange(len(times)), MAX_POINTS):
        distance = np.nan_to_num(np.abs(values[rows] - middle), nan=-1.0)
        row = rows[int(np.argmax(distance))]
        kept.append((float(times[row]), float(values[row])))
    return kept


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
