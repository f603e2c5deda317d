"""What an episode means for the people who use the system: how grave it is, and the sentence that says so without a cause."""

import json
import math
import re
from dataclasses import dataclass, replace
from enum import IntEnum

from incidents.detection.anomaly import Direction, Episode
from incidents.detection.signals import Meaning, SignalKind, is_service_level, meaning, quantile_of

OTHER = Meaning(SignalKind.OTHER, 1.0)


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
    """Say what is wrong, where and how much, in words that claim no cause."""
    key = episode.key
    read_as = meaning(key.name, key.unit) or OTHER
    who = f"{key.service}{_operation(key.attributes)}"
    match read_as.kind:
        case SignalKind.ERRORS:
            return f"{who}: up to {_percent(episode.peak * read_as.factor)} of requests fail"
        case SignalKind.SUCCESS:
            return f"{who}: {plain_name(key.name)} down to {_percent(episode.peak * read_as.factor)}"
        case SignalKind.DURATION:
            usual, peak = episode.usual_high * read_as.factor, episode.peak * read_as.factor
            return f"{who}: {plain_name(key.name)} up to {seconds(peak)}, usually below {seconds(usual)}"
        case SignalKind.TRAFFIC:
            way = "down" if episode.direction is Direction.DOWN else "up"
            usual = episode.usual_low if way == "down" else episode.usual_high
            return f"{who}: {plain_name(key.name)} {way} to {number(episode.peak)}, usually {'above' if way == 'down' else 'below'} {number(usual)}"
        case _:
            return f"{who}: {plain_name(key.name)} {episode.direction.value} to {number(episode.peak)}, usually {number(episode.usual_low)} to {number(episode.usual_high)}"


def plain_name(name: str) -> str:
    """Return a series name as people say it."""
    quantiles = {"duration_p50": "median duration", "duration_p95": "p95 duration", "duration_p99": "p99 duration"}
    return quantiles.get(name) or re.sub(r"[_.](s|ms|pct|seconds|ratio)$", "", name.split("|", 1)[0]).replace("_", " ")


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
