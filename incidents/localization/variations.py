"""Variations of recorded outages: with less telemetry, or worse, does the ranking still hold, and does it say so when not?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from incidents.localization.ranking import ALL_MODALITIES, Material
from incidents.localization.suspects import Modality
from incidents.telemetry.datamodel import NANOSECONDS, LogRecord, MetricSeries, SpanTable

LOST = 0.2
NOISE = 0.2  # standard deviation of a factor's logarithm


@dataclass(frozen=True)
class Variation:
    """What is looked at, what is done to the material before, and by how much the incident's start is mistaken (later is positive)."""

    use: frozenset[Modality]
    change: Callable[[Material], Material]
    starts: timedelta = timedelta(0)


def _as_it_is(material: Material) -> Material:
    return material


def _without_baseline(material: Material) -> Material:
    metrics, spans, lines = material.metrics, material.spans, material.lines
    return replace(material, metrics=([], *metrics[1:]), spans=(None, *spans[1:]), lines=([], *lines[1:]))


def _half_of_the_traces(material: Material) -> Material:
    """Keep every second trace, by the last bit of its id, and the lines of these traces or of none."""

    def spans(table: SpanTable) -> SpanTable:
        if not len(table):
            return table
        return table.select(np.array([not trace_id[-1] % 2 for trace_id in table.trace_ids])[table.trace])

    def lines(records: Sequence[LogRecord]) -> list[LogRecord]:
        return [record for record in records if not record.trace_id or not record.trace_id[-1] % 2]

    baseline, reference, incident = material.spans
    usual, recent, now = material.lines
    return replace(
        material,
        spans=(spans(baseline) if baseline is not None else None, spans(reference), spans(incident)),
        lines=(lines(usual), lines(recent), lines(now)),
    )


def _lost_spans(material: Material) -> Material:
    """Lose every fifth span, whatever its trace, by a fixed draw: their children are left without a parent."""
    source = np.random.default_rng(0)

    def spans(table: SpanTable) -> SpanTable:
        return table.select(source.random(len(table)) >= LOST) if len(table) else table

    baseline, reference, incident = material.spans
    return replace(
        material, spans=(spans(baseline) if baseline is not None else None, spans(reference), spans(incident))
    )


def _first_minute(material: Material) -> Material:
    """Keep what the first 60 seconds of the incident's telemetry hold."""
    metrics, spans, lines = material.metrics[2], material.spans[2], material.lines[2]
    starts = [int(spans.start_ns.min())] if len(spans) else []
    starts += [lines[0].time_ns] if lines else []
    starts += [int(min(series.times[0] for series in metrics) * NANOSECONDS)] if metrics else []
    if not starts:
        return material
    end_ns = min(starts) + 60 * NANOSECONDS
    early = [replace(s, times=s.times[s.times < end_ns / NANOSECONDS], values=s.values[s.times < end_ns / NANOSECONDS]) for s in metrics]  # fmt: skip
    return replace(
        material,
        metrics=(*material.metrics[:2], [series for series in early if len(series.times)]),
        spans=(*material.spans[:2], spans.select(spans.start_ns < end_ns)),
        lines=(*material.lines[:2], [line for line in lines if line.time_ns < end_ns]),
        seconds=(*material.seconds[:2], 60.0),
    )


def _noisy_metrics(material: Material) -> Material:
    """Multiply every sample by a random factor near 1; the same factors each time."""
    source = np.random.default_rng(0)

    def noisy(series: MetricSeries) -> MetricSeries:
        return replace(series, values=series.values * np.exp(source.normal(0, NOISE, len(series.values))))

    baseline, reference, incident = (tuple(map(noisy, side)) for side in material.metrics)
    return replace(material, metrics=(baseline, reference, incident))


VARIATIONS: Mapping[str, Variation] = {
    "as it is": Variation(ALL_MODALITIES, _as_it_is),
    "without metrics": Variation(ALL_MODALITIES - {Modality.METRICS}, _as_it_is),
    "without traces": Variation(ALL_MODALITIES - {Modality.TRACES}, _as_it_is),
    "without logs": Variation(ALL_MODALITIES - {Modality.LOGS}, _as_it_is),
    "metrics alone": Variation(frozenset({Modality.METRICS}), _as_it_is),
    "traces alone": Variation(frozenset({Modality.TRACES}), _as_it_is),
    "logs alone": Variation(frozenset({Modality.LOGS}), _as_it_is),
    "without a baseline": Variation(ALL_MODALITIES, _without_baseline),
    "half of the traces": Variation(ALL_MODALITIES, _half_of_the_traces),
    "a fifth of the spans lost": Variation(ALL_MODALITIES, _lost_spans),
    "start 120 s too early": Variation(ALL_MODALITIES, _as_it_is, timedelta(seconds=-120)),
    "start 60 s too early": Variation(ALL_MODALITIES, _as_it_is, timedelta(seconds=-60)),
    "start 60 s too late": Variation(ALL_MODALITIES, _as_it_is, timedelta(seconds=60)),
    "start 120 s too late": Variation(ALL_MODALITIES, _as_it_is, timedelta(seconds=120)),
    "the first minute": Variation(ALL_MODALITIES, _first_minute),
    "noisy metrics": Variation(ALL_MODALITIES, _noisy_metrics),
}
