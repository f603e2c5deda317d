"""Tools on metrics: one series over time, and a service's series in two windows."""

import json
from collections.abc import Iterable, Sequence

import numpy as np

from copilot.answers.investigation.arguments import CompareWindows, QueryMetrics
from copilot.answers.investigation.found import Found, NothingThere, Sources
from copilot.answers.investigation.scope import Scope
from copilot.evidence import metrics
from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.wording import clock, moved, quantity
from incidents.telemetry.backend import TelemetryBackend
from incidents.telemetry.datamodel import MetricSeries, SeriesKey, Window, from_ns

MOST_SERIES = 3  # of one metric, those that vary most
MOST_MOVED = 5
MOST_POINTS = 1_100  # of a table
STILL = 0.05  # a change by less than 5 % is none


def query_metrics(asked: QueryMetrics, scope: Scope, sources: Sources) -> Found:
    """Return what one metric did in the window, before and after the incident's start where it holds both."""
    backend = backend_of(sources)
    window = scope.window(asked.from_minute, asked.to_minute)
    found = [
        series
        for series in backend.fetch_metrics(window, services=[asked.service])
        if series.key.name == asked.metric and _is_of(series, asked.operation) and np.isfinite(series.values).any()
    ]
    if not found:
        raise NothingThere(f"{asked.service} {asked.metric} has no value from {_spoken(window)}.")
    whole = [series for series in found if series.key.attributes == "{}"]
    chosen = (whole if whole and asked.operation is None else sorted(found, key=_variation, reverse=True))[:MOST_SERIES]
    items = tuple(_item(series, scope, window, backend.name) for series in chosen)
    left = len(found) - len(chosen)
    note = (
        f"{left} more series of {asked.metric} differ by operation or label; name an operation to see one."
        if left
        else ""
    )
    return Found(items, tuple(_rows(chosen[0])), note)


def compare_windows(asked: CompareWindows, scope: Scope, sources: Sources) -> Found:
    """Return which metrics of a service differ most between two windows, by their medians."""
    backend = backend_of(sources)
    first, second = scope.window(asked.first_from, asked.first_to), scope.window(asked.second_from, asked.second_to)
    before = {series.key: series for series in backend.fetch_metrics(first, services=[asked.service])}
    after = {series.key: series for series in backend.fetch_metrics(second, services=[asked.service])}
    pairs = [(key, _median(before.get(key)), _median(after.get(key))) for key in sorted({*before, *after})]
    pairs = [pair for pair in pairs if not np.isnan(pair[1]) or not np.isnan(pair[2])]
    if not pairs:
        raise NothingThere(f"{asked.service} has no metrics in either window.")
    ranked = sorted(pairs, key=lambda pair: (-_change(pair[1], pair[2]), pair[0]))
    both = Window(min(first.start, second.start), max(first.end, second.end))
    said = f"from {_spoken(first)} to {_spoken(second)}"
    items: list[Evidence] = []
    for key, one, other in _once_each(ranked)[:MOST_MOVED]:
        if _change(one, other) < STILL and items:
            break
        items.append(
            Evidence(
                id="",
                kind=Kind.METRIC,
                role=Role.CONTEXT,
                service=key.service,
                title=f"{metrics.label(key)} in two windows",
                statement=f"{metrics.label(key)} {moved(one, other, key.unit)} (medians, {said}).",
                start=both.start,
                end=both.end,
                statistic={
                    name: {"value": value, "unit": key.unit}
                    for name, value in (("before", one), ("after", other))
                    if not np.isnan(value)
                },
                query=f"{metrics.query_text(key)} {said}",
                backend=backend.name,
                detail=metrics.chart(key, _joined(before.get(key), after.get(key)), window=both, usual=None),
            )
        )
    lines = tuple(f"{metrics.label(key)}: {moved(one, other, key.unit)}" for key, one, other in ranked)
    return Found(tuple(items), lines, f"{len(pairs)} series were compared.")


def _once_each(ranked: Sequence[tuple[SeriesKey, float, float]]) -> list[tuple[SeriesKey, float, float]]:
    """Return the first of each kind of series: three percentiles of three operations would leave no room for anything else."""
    kinds: dict[str, tuple[SeriesKey, float, float]] = {}
    for pair in ranked:
        name = pair[0].name
        kinds.setdefault("duration" if name.startswith("duration_p") else name, pair)
    return list(kinds.values())


def backend_of(sources: Sources) -> TelemetryBackend:
    """Return the telemetry backend. Raises NothingThere for files without an incident."""
    if sources.backend is None:
        raise NothingThere("There is no telemetry here, only attached files.")
    return sources.backend


def change_of(series: Iterable[MetricSeries], scope: Scope, name: str) -> str:
    """Return what a service's metric did, in short: "requests per second stayed at 41 per s"; "" when it has none."""
    found = next((one for one in series if one.key.name == name and one.key.attributes == "{}"), None)
    if found is None:
        return ""
    before, after = _halves(found, scope)
    if np.isnan(before) and np.isnan(after):
        return ""
    return f"{metrics.label(found.key).removeprefix(found.key.service).strip()} {moved(before, after, found.key.unit)}"


def _item(series: MetricSeries, scope: Scope, window: Window, backend: str) -> Evidence:
    key, values = series.key, series.values[np.isfinite(series.values)]
    times = series.times[np.isfinite(series.values)]
    high, low = int(np.argmax(values)), int(np.argmin(values))
    before, after = _halves(series, scope)
    begun = clock(scope.start)
    statement = f"{metrics.label(key)} from {_spoken(window)}: "
    if np.isnan(before) or np.isnan(after):
        statement += f"median {quantity(float(np.median(values)), key.unit)}"
    else:
        statement += f"its median {moved(before, after, key.unit)} at the incident's start at {begun}"
    statement += (
        f"; highest {quantity(float(values[high]), key.unit)} at {_at(times[high])}, "
        f"lowest {quantity(float(values[low]), key.unit)} at {_at(times[low])}."
    )
    numbers = {"before": before, "after": after, "highest": float(values[high]), "lowest": float(values[low])}
    return Evidence(
        id="",
        kind=Kind.METRIC,
        role=Role.CONTEXT,
        service=key.service,
        title=metrics.label(key),
        statement=statement,
        start=window.start,
        end=window.end,
        statistic={name: {"value": value, "unit": key.unit} for name, value in numbers.items() if not np.isnan(value)},
        query=f"{metrics.query_text(key)} {_spoken(window)}",
        backend=backend,
        detail=metrics.chart(key, series, window=window, usual=None),
    )


def _rows(series: MetricSeries) -> Iterable[str]:
    step = max(1, -(-len(series.times) // MOST_POINTS))
    for time, value in zip(series.times[::step], series.values[::step], strict=True):
        yield f"{_at(time)} {quantity(float(value), series.key.unit)}"


def _is_of(series: MetricSeries, operation: str | None) -> bool:
    return operation is None or json.loads(series.key.attributes).get("operation") == operation


def _variation(series: MetricSeries) -> float:
    values = series.values[np.isfinite(series.values)]
    return float(np.ptp(values) / (abs(np.median(values)) + 1e-9))


def _halves(series: MetricSeries, scope: Scope) -> tuple[float, float]:
    begun = scope.start.timestamp()
    return _middle(series.values[series.times < begun]), _middle(series.values[series.times >= begun])


def _median(series: MetricSeries | None) -> float:
    return float("nan") if series is None else _middle(series.values)


def _middle(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _change(before: float, after: float) -> float:
    """Return how much a number changed, as a share of the larger one; what appeared or vanished changed by all of it."""
    if np.isnan(before) or np.isnan(after):
        return 1.0
    largest = max(abs(before), abs(after))
    return abs(after - before) / largest if largest else 0.0


def _joined(*parts: MetricSeries | None) -> MetricSeries | None:
    there: Sequence[MetricSeries] = [part for part in parts if part is not None]
    if not there:
        return None
    times, index = np.unique(np.concatenate([part.times for part in there]), return_index=True)
    return MetricSeries(there[0].key, times, np.concatenate([part.values for part in there])[index])


def _at(seconds: float) -> str:
    return clock(from_ns(int(seconds * 1e9)))


def _spoken(window: Window) -> str:
    return f"{clock(window.start)}–{clock(window.end)}"
