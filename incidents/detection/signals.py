"""What a series measures, told from its name and unit, and therefore which way it gets worse and what a step in it is worth.

Names follow OpenTelemetry's and Prometheus' conventions; no system's or service's own names are known here.
"""

import json
import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from incidents.telemetry.datamodel import SeriesKey

REQUESTS = "requests_per_second"
ERROR_RATIO = "error_ratio"
BUCKET_SECONDS = 10.0  # of the series that are derived from spans

# Latencies are compared as logarithms; this much is added first, so that 2 ms against 4 ms is not "twice as slow".
SOFTENING_SECONDS = 0.010


class SignalKind(StrEnum):
    """What a series measures."""

    ERRORS = "errors"  # share of requests that fail, up is worse
    SUCCESS = "success"  # share that succeeds or is available, down is worse
    DURATION = "duration"  # up is worse
    TRAFFIC = "traffic"  # both ways are unusual, down is worse
    RESOURCE = "resource"  # usage, connections, queues: up is worse
    OTHER = "other"  # both ways are unusual, neither is bad by itself


class Meaning(NamedTuple):
    """How a series is read: its kind, and the factor that brings values to seconds or to a share of 1 (else 1)."""

    kind: SignalKind
    factor: float


_HITS = frozenset({"hit", "hits"})
_SUCCESS = frozenset({"success", "successful", "availability", "available", "healthy", "ready"}) | _HITS
_ERRORS = frozenset(
    {"error", "errors", "fail", "failed", "failure", "failures", "5xx", "exception", "exceptions", "rejected"}
)
_DURATION = frozenset({"latency", "duration", "rtt", "elapsed", "delay"})
_RESOURCE = frozenset(
    {
        "cpu",
        "memory",
        "mem",
        "heap",
        "rss",
        "utilization",
        "usage",
        "used",
        "connections",
        "disk",
        "filesystem",
        "threads",
    }
    | {
        "goroutines",
        "load",
        "load1",
        "queue",
        "backlog",
        "lag",
        "pending",
        "saturation",
        "waiting",
        "fds",
        "memory_usage",
    }
)
_TRAFFIC = frozenset({"requests", "request", "ops", "rps", "qps", "throughput", "calls", "rate", "messages"})
_SHARE = frozenset({"ratio", "share", "percent", "pct", "percentage", "utilization"})
_LIMIT = frozenset({"max", "limit", "capacity", "size", "quota"})
_USED = frozenset({"usage", "used", "use", "current", "active", "open", "count"})
_PERCENT = frozenset({"percent", "pct", "percentage"})
_MILLISECONDS = frozenset({"ms", "millis", "milliseconds"})


@lru_cache(maxsize=4096)
def meaning(name: str, unit: str) -> Meaning | None:
    """Return how a series of this name and unit is read; None for one that says nothing by itself (a histogram's sum)."""
    words = _words(name)
    if name.endswith((".sum", "_sum")) and words & _DURATION:
        return None
    percent = unit == "%" or bool(words & _PERCENT)
    share = percent or bool(words & _SHARE) or unit == "1"
    share_factor = 0.01 if percent else 1.0
    if name.endswith((".count", "_count")):
        return Meaning(SignalKind.TRAFFIC, 1.0)
    if name == "up" or (words & _SUCCESS and (share or "availability" in words)):
        return Meaning(SignalKind.SUCCESS, share_factor)
    if words & _ERRORS:
        return Meaning(SignalKind.ERRORS, share_factor) if share else Meaning(SignalKind.RESOURCE, 1.0)
    if words & _DURATION or (unit in {"s", "ms"} and "time" in words):
        return Meaning(SignalKind.DURATION, 0.001 if unit == "ms" or words & _MILLISECONDS else 1.0)
    if words & _RESOURCE:
        return Meaning(SignalKind.RESOURCE, share_factor if share else 1.0)
    if words & _TRAFFIC or unit in {"1/s", "{request}/s"}:
        return Meaning(SignalKind.TRAFFIC, 1.0)
    return Meaning(SignalKind.OTHER, 1.0)


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", name.lower()))


def is_service_level(key: SeriesKey) -> bool:
    """Say whether the series is about the service as a whole, not about one of its operations."""
    return key.attributes in ("", "{}")


def counts_requests(key: SeriesKey) -> bool:
    """Say whether a share is one of requests that fail or succeed; a cache's misses fail nobody."""
    return not _words(key.name) & _HITS


def is_share(key: SeriesKey) -> bool:
    """Say whether the values are parts of a whole: 0 to 1, or 0 to 100 %."""
    return key.unit in {"1", "%"} or bool(_words(key.name) & _SHARE)


def quantile_of(name: str) -> float:
    """Return which quantile, in percent, a series of durations is by its name; 50 when it names none."""
    found = re.search(r"(?:^|[._])p(\d\d)", name)
    return float(found.group(1)) if found else 50.0


def is_limit_of(other: SeriesKey, key: SeriesKey) -> bool:
    """Say whether one series tells the most that another may reach: "…connections.max" of "…connections.usage", also per pool or volume."""
    words, used = _words(other.name), _words(key.name)
    if not words & _LIMIT or used & _LIMIT or words - _LIMIT != used - _USED:
        return False
    mine, told = json.loads(key.attributes), json.loads(other.attributes)
    same_place = all(mine.get(name) == value for name, value in told.items())
    return same_place and (other.service, other.unit) == (key.service, key.unit)


def is_derived(key: SeriesKey) -> bool:
    """Say whether the series was derived from spans: exact counts, on 10-second buckets."""
    return key.name in {REQUESTS, ERROR_RATIO} or key.name.startswith("duration_p")


def witness(key: SeriesKey) -> tuple[str, str, str]:
    """Return what series must share to be one witness: quantiles of one gauge are, those of a service's spans are not.

    A gauge's p90, p95 and p99 come from one histogram of unknown size, and go astray together; so does one gauge seen from several
    sides (what follows "|").
    """
    gauge = key.name.split("|", 1)[0]
    name = key.name if is_derived(key) else re.sub(r"(^|[._])(p\d+|avg|mean|max|median)(?=[._]|$)", "", gauge)
    return key.service, key.attributes, name


def to_scale(meaning: Meaning, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values, any shape, on a scale where their usual spread is even and where, except for traffic, up is worse.

    Durations become logarithms, counts square roots (their spread then is 1 whatever the rate), success becomes failure.
    """
    scaled = values * meaning.factor
    match meaning.kind:
        case SignalKind.DURATION:
            return np.log(np.maximum(scaled, 0.0) + SOFTENING_SECONDS)
        case SignalKind.TRAFFIC:
            return 2.0 * np.sqrt(np.maximum(scaled, 0.0) * BUCKET_SECONDS)
        case SignalKind.SUCCESS:
            return 1.0 - scaled
        case _:
            return scaled


def from_scale(meaning: Meaning, scaled: float) -> float:
    """Return the value, in the series' own unit, that `to_scale` maps to `scaled`; never below 0 where that cannot be."""
    match meaning.kind:
        case SignalKind.DURATION:
            value = max(float(np.exp(min(scaled, 700.0))) - SOFTENING_SECONDS, 0.0)
        case SignalKind.TRAFFIC:
            value = max(scaled, 0.0) ** 2 / 4.0 / BUCKET_SECONDS
        case SignalKind.SUCCESS:
            value = 1.0 - max(scaled, 0.0)
        case SignalKind.ERRORS | SignalKind.RESOURCE:
            value = max(scaled, 0.0)
        case _:
            value = scaled
    return value / meaning.factor
