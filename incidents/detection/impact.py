"""What an episode means for the people who use the system: how grave it is, and the sentence that says so without a cause."""

import json
import math
import re
from dataclasses import dataclass, replace
from enum import IntEnum

from incidents.detection.anomaly import Direction, Episode
from incidents.detection.signals import Meaning, SignalKind, is_service_level, is_share, meaning, quantile_of

OTHER = Meaning(SignalKind.OTHER, 1.0)
LONGEST_TITLE = 80  # characters: a line of a list, also on a phone
MOST_SAID = 56  # of them, about what happens, where the service's name has to be cut
# OpenTelemetry's and Prometheus' names that are not said as they are written.
_SPOKEN = {
    "duration_p50": "median duration",
    "duration_p95": "p95 duration",
    "duration_p99": "p99 duration",
    "db.client.connections.usage": "database connections in use",
    "db.client.connection.count": "database connections in use",
    "process.cpu.utilization": "CPU use",
    "up": "share of targets that answer",
}
_NAMESPACE = re.compile(r"^(http|rpc)[._]server[._]")  # the service's own requests: its name says so
_UNITS = frozenset({"s", "ms", "pct", "percent", "seconds", "milliseconds"})


class Harm(IntEnum):
    """Whether an episode hurts requests, and whether it alone is reason enough to open an incident."""

    NONE = 0
    SUPPORTS = 1
    OPENS = 2


class Severity(IntEnum):
    """How bad it is for users; 1 is worst."""

    OUTAGE = 1
    MAJOR = 2
    DEGRADED = 3
    MINOR = 4


@dataclass(frozen=True, slots=True)
class Impact:
    """One episode's meaning. `weight` ≥ 0 orders episodes by what users feel; `service_wide` is false for one operation's."""

    harm: Harm
    severity: Severity
    weight: float
    service_wide: bool
    is_witness: bool = True


def impact_of(episode: Episode, *, is_entry: bool) -> Impact:
    """Return what the episode means; `is_entry` says whether users meet its service first.

    Failing requests open by themselves. Slow requests and missing traffic harm, but need a second witness. Resources,
    surges of traffic and unknown gauges harm nobody by themselves.
    """
    read_as = meaning(episode.key.name, episode.key.unit) or OTHER
    wide = is_service_level(episode.key)
    front = is_entry and wide
    match read_as.kind:
        case SignalKind.ERRORS | SignalKind.SUCCESS:
            share = episode.peak * read_as.factor
            failing = share if read_as.kind is SignalKind.ERRORS else 1.0 - share
            return _failures(failing, front=front, wide=wide)
        case SignalKind.DURATION:
            factor = episode.peak / max(episode.usual_high, 1e-9)
            # One request in a hundred wanders by itself: it is part of an incident, not a reason to open one.
            tail = quantile_of(episode.key.name) >= 99.0
            return replace(_slowness(factor, front=front, wide=wide), is_witness=not tail)
        case SignalKind.TRAFFIC if episode.direction is Direction.DOWN:
            lost = 1.0 - episode.peak / max(episode.usual_low, 1e-9)
            severity = Severity.OUTAGE if front and lost >= 0.9 else Severity.DEGRADED
            return Impact(Harm.SUPPORTS, severity, (3.0 if front else 1.0) * max(lost, 0.0), wide)
        case _:
            return Impact(Harm.NONE, Severity.MINOR, 0.0, wide)


def _failures(share: float, *, front: bool, wide: bool) -> Impact:
    if front:
        severity = Severity.OUTAGE if share >= 0.2 else Severity.MAJOR if share >= 0.05 else Severity.DEGRADED
    else:
        severity = Severity.MAJOR if share >= 0.5 and wide else Severity.DEGRADED
    weight = (10.0 if front else 5.0 if wide else 3.0) * (0.2 + share)
    return Impact(Harm.OPENS, severity, weight, wide)


def _slowness(factor: float, *, front: bool, wide: bool) -> Impact:
    severity = Severity.MAJOR if front and factor >= 5.0 else Severity.DEGRADED if wide else Severity.MINOR
    weight = (
        (2.0 if front else 1.0 if wide else 0.5) * (1.0 - 1.0 / max(factor, 1.0)) * (1.0 + math.log10(max(factor, 1.0)))
    )
    return Impact(Harm.SUPPORTS, severity, weight, wide)


def title_of(episode: Episode) -> str:
    """Say what is wrong, where, how much and what is usual, in words that claim no cause and at most LONGEST_TITLE characters."""
    key = episode.key
    read_as = meaning(key.name, key.unit) or OTHER
    name = plain_name(key.name)
    low, high, peak = (value * read_as.factor for value in (episode.usual_low, episode.usual_high, episode.peak))
    match read_as.kind:
        case SignalKind.ERRORS:
            what, usual = f"up to {_percent(peak)} of requests fail", ""
        case SignalKind.SUCCESS:
            what = f"{name} down to {_percent(peak)}"
            usual = f"usually {'above ' if low < 0.9995 else ''}{_percent(low)}"
        case SignalKind.DURATION:
            what, usual = f"{name} up to {seconds(peak)}", f"usually below {seconds(high)}"
        case SignalKind.TRAFFIC if episode.direction is Direction.DOWN:
            what, usual = f"{name} down to {number(peak)}", f"usually above {number(low)}"
        case SignalKind.TRAFFIC:
            what, usual = f"{name} up to {number(peak)}", f"usually below {number(high)}"
        case _:
            said = _percent if is_share(key) else number
            what = f"{name} {episode.direction.value} to {said(peak)}"
            usual = f"usually {said(low)} to {said(high)}"
    return _short(key.service, operation=_operation(key.attributes), what=what, usual=usual)


def _short(service: str, *, operation: str, what: str, usual: str) -> str:
    """Put a title together. When it is too long, the operation goes first, then what is usual, then the ends of the names."""
    whole = f"{what}, {usual}" if usual else what
    for who, said in ((f"{service}{operation}", whole), (service, whole), (service, what)):
        if len(who) + len(said) + 2 <= LONGEST_TITLE:
            return f"{who}: {said}"
    said = what if len(what) <= MOST_SAID else f"…{what[1 - MOST_SAID :]}"
    room = LONGEST_TITLE - len(said) - 2
    return f"{service if len(service) <= room else f'{service[: room - 1]}…'}: {said}"


def plain_name(name: str) -> str:
    """Return a series name as people say it: "cache.hit.ratio" is "cache hit ratio", "rpc.server.duration.p99" "p99 duration"."""
    if name in _SPOKEN:
        return _SPOKEN[name]
    words = re.split(r"[._]+", _NAMESPACE.sub("", name.split("|", 1)[0]))
    while len(words) > 1 and words[-1] in _UNITS:
        words.pop()
    if len(words) > 1 and re.fullmatch(r"p\d+", words[-1]):
        quantile = words.pop()
        words.insert(0, "median" if quantile == "p50" else quantile)
    return " ".join(words)


def seconds(value: float) -> str:
    """Return a duration in ms or s with two or three digits that matter."""
    return f"{number(value * 1000.0)} ms" if value < 1.0 else f"{number(value)} s"


def number(value: float) -> str:
    """Return a number with at most three digits that matter, without an exponent where people would not write one."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f")
    text = f"{value:.3g}"
    return text if "e" not in text else f"{value:.2e}"


def _percent(share: float) -> str:
    return f"{number(round(share * 100.0, 1))} %"


def _operation(attributes: str) -> str:
    """Return the operation that the series is about with a space before, or nothing."""
    if attributes in ("", "{}"):
        return ""
    described = json.loads(attributes)
    text = described.get("operation") if isinstance(described, dict) else None
    return f" {text[:80]}" if isinstance(text, str) else ""
