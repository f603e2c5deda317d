"""Series with a known departure, for the detection tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from incidents.detection.anomaly import Direction, Episode
from incidents.telemetry.datamodel import MetricSeries, SeriesKey, Window

START = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def stream(
    values: Sequence[float] | NDArray[np.float64],
    name: str = "duration_p95",
    *,
    service: str = "checkout",
    attributes: str = "{}",
    unit: str = "",
    step: float = 10.0,
) -> MetricSeries:
    """A series whose sample i is dated (i + 1) steps after START: a bucket's time is its end."""
    times = np.asarray(START.timestamp() + step * (1.0 + np.arange(len(values))), dtype=np.float64)
    return MetricSeries(SeriesKey(service, name, attributes, unit), times, np.asarray(values, dtype=np.float64))


def calm(count: int, usual: float, *, spread: float = 0.05, seed: int = 1) -> NDArray[np.float64]:
    """Usual values with a relative spread."""
    return usual * np.exp(spread * np.random.default_rng(seed).standard_normal(count))


def stepped(count: int, usual: float, *, start: int, length: int, factor: float, seed: int = 1) -> NDArray[np.float64]:
    """Usual values, times `factor` for `length` samples from sample `start` on."""
    values = calm(count, usual, seed=seed)
    values[start : start + length] *= factor
    return values


def whole(series: MetricSeries) -> Window:
    """The window that holds all samples of the series and none after it."""
    return Window(START, datetime.fromtimestamp(series.times[-1] + 1.0, tz=UTC))


def episode(
    name: str = "error_ratio",
    *,
    service: str = "checkout",
    attributes: str = "{}",
    started: float = 0.0,
    lasted: float | None = None,
    **fields: object,
) -> Episode:
    """An episode that began `started` seconds after START and was detected half a minute later."""
    values: dict[str, object] = {
        "key": SeriesKey(service, name, attributes, ""),
        "direction": Direction.UP,
        "started_at": at(started),
        "detected_at": at(started + 30),
        "peaked_at": at(started + 30),
        "ended_at": None if lasted is None else at(started + lasted),
        "usual_low": 0.0,
        "usual_high": 0.02,
        "peak": 0.31,
        "score": 20.0,
    } | fields
    return Episode(**values)  # type: ignore[arg-type]
