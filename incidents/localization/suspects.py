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


class Family(StrEnum):
    """What kind of fault the evidence looks like."""

    RESOURCE = "resource"  # something ran out: processor, memory, connections
    LATENCY = "latency"  # it, or the way to it, became slow with no resource to explain that
    ERROR = "error"  # it fails, or does not answer
    CODE_PATH = "code path"  # it does something else than before: steps left out or new
    TRAFFIC = "traffic"  # it is asked for more, less or other things
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Inner:
    """The place within a service: `kind` is "operation", "connection", "log template" or "resource", "" when the evidence shows none.

    `operation` is where it happens, "" where no span says so.
    """

    kind: str = ""
    name: str = ""
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that changed at one service between the reference and the incident window.

    `statistic` names what was compared ("self time p90 of GET /cart", "cpu_usage_pct", "new log template");
    `before` and `after` are its values in `unit` (NaN when it did not exist); `strength` is ≥ 0 and comparable across findings.
    `series` points to the metric series, `template` to the log template, `operation` to the operation, `trace_id` (hex) to an
    exemplar: whichever applies, "" or None otherwise. `is_left_out` says that lines of `template` are what is missing, not what came.
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
    is_left_out: bool = False


@dataclass(frozen=True, slots=True)
class Suspect:
    """One service with its share of the blame, `score` in [0, 1]; shares of all suspects sum to at most 1.

    `confidence` is the calibrated chance, in [0, 1], that the fault is here, see `confidence`; these too sum to at most 1.
    """

    service: str
    score: float
    findings: tuple[Finding, ...]
    reason: str
    confidence: float = 0.0
    family: Family = Family.UNCLEAR
    inner: Inner = Inner()


@dataclass(frozen=True, slots=True)
class RuledOut:
    """One service that looked suspicious and is not the cause, with why in a sentence and the finding that says so."""

    service: str
    reason: str
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a ranking rests on.

    `first` and `second` are the strengths in all of the two leading suspects; `modalities` how many kinds of telemetry speak for the first;
    `looked_at` which were there to be looked at; `requests` the fewer of those before and during the incident, 0 without spans;
    `has_baseline` whether a fault-free recording was compared with.
    """

    first: float
    second: float
    modalities: int
    looked_at: frozenset[Modality]
    requests: int
    has_baseline: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """Suspects, likeliest first. `margin` is the first score minus the second. `missing` names the modalities without data.

    `lead` is the first confidence minus the second. `grounds` is what the confidence rests on, None when nothing was found.
    """

    suspects: tuple[Suspect, ...]
    ruled_out: tuple[RuledOut, ...]
    margin: float
    missing: tuple[Modality, ...]
    edges: tuple[tuple[str, str], ...]  # caller, callee
    next_check: str
    lead: float = 0.0
    grounds: Grounds | None = None
