"""What localization says: suspects in order, each with what speaks for it, and what was ruled out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from incidents.telemetry.datamodel import SeriesKey


class Modality(StrEnum):
    """Which telemetry a finding rests on."""

    METRICS = "metrics"
    TRACES = "traces"
    LOGS = "logs"
    TOPOLOGY = "topology"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that changed at one service between the reference and the incident window.

    `statistic` names what was compared ("self time p90 of GET /cart", "cpu_usage_pct", "new log template");
    `before` and `after` are its values in `unit` (NaN when it did not exist); `strength` is ≥ 0 and comparable across findings.
    `series` points to the metric series, `template` to the log template, `operation` to the operation, `trace_id` (hex) to an
    exemplar: whichever applies, "" or None otherwise.
    """

    service: str
    modality: Modality
    statistic: str
    before: float
    after: float
    unit: str
    strength: float
    onset_at: datetime | None = None
    series: SeriesKey | None = None
    operation: str = ""
    template: str = ""
    trace_id: str = ""
    exemplars: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspect:
    """One service with its share of the blame, `score` in [0, 1]; shares of all suspects sum to at most 1."""

    service: str
    score: float
    findings: tuple[Finding, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class RuledOut:
    """One service that looked suspicious and is not the cause, with why in a sentence and the finding that says so."""

    service: str
    reason: str
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Suspects, likeliest first. `margin` is the first score minus the second. `missing` names the modalities without data."""

    suspects: tuple[Suspect, ...]
    ruled_out: tuple[RuledOut, ...]
    margin: float
    missing: tuple[Modality, ...]
    edges: tuple[tuple[str, str], ...]  # caller, callee
    next_check: str
