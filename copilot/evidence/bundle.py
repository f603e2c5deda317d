"""Evidence items E1…En and their bundle: pinned as JSON when an incident is investigated, so that a citation never expires."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from copilot.evidence.assessment import Assessment
from copilot.evidence.assessment import from_json as assessment_from_json
from copilot.evidence.located import Located
from copilot.evidence.located import from_json as located_from_json


class Kind(StrEnum):
    """What sort of thing the item shows; each has a module in this package and a partial template."""

    METRIC = "metric"
    TRACE = "trace"
    LOG = "log"
    CHANGE = "change"
    PASSAGE = "passage"
    PRECEDENT = "precedent"
    ATTACHED = "attached"
    TOPOLOGY = "topology"


class Role(StrEnum):
    """What the item does in the explanation. Code decides it, never the model."""

    SYMPTOM = "symptom"  # what users or callers notice
    CAUSE = "cause"  # speaks for the leading suspect
    RIVAL = "rival"  # speaks for another suspect
    AGAINST = "against"  # rules a suspect out
    CONTEXT = "context"  # changes, traffic
    REMEDY = "remedy"  # what to do: passages, precedents
    FAILED = "failed"  # what was tried, here or in a similar incident, and did not help


@dataclass(frozen=True, slots=True)
class Evidence:
    """One item. `statement` is one sentence that states the finding with its numbers and times; `title` is its short form.

    `statistic` holds the numbers behind the statement by name, each {"value": float, "unit": str}. `excerpt` is what a machine
    wrote, masked: log lines, span rows or a passage, already cut to size. `detail` is what its page needs to draw it (series
    points, spans, lines; JSON types only). `query` is what found it and `backend` who answered. `start` and `end` bound its window (UTC).
    """

    id: str
    kind: Kind
    role: Role
    service: str
    title: str
    statement: str
    start: datetime
    end: datetime
    statistic: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    excerpt: tuple[str, ...] = ()
    query: str = ""
    backend: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One explanation. `confidence` in [0, 1] is the calibrated chance that it is true, as far as the assessment lets it be stated; 0 when
    ruled out. `verdict` is "likely", "possible" or "ruled out"; `supporting` and `opposing` are evidence ids."""

    service: str
    sentence: str
    confidence: float
    verdict: str
    supporting: tuple[str, ...]
    opposing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceBundle:
    """Everything that the brief, the prompt and the page know about an incident.

    `gaps` are sentences on what could not be seen and why; `hypotheses` likeliest first; `edges` caller to callee. `earlier` are items of
    former investigations of the same incident that this one no longer shows: an answer that cites one stays checkable. All times are
    later than the recorded ones by `shifted_by_seconds`, which a replay may do. `assessment` and `located` are None for what was pinned before
    there were any. `looked_up` names the items that were looked up for one answer: they are among `earlier`, and its claims rest on them.
    """

    gathered_at: datetime
    incident_start: datetime
    incident_end: datetime
    services: tuple[str, ...]
    items: tuple[Evidence, ...]
    hypotheses: tuple[Hypothesis, ...]
    gaps: tuple[str, ...]
    next_check: str
    edges: tuple[tuple[str, str], ...] = ()
    earlier: tuple[Evidence, ...] = ()
    shifted_by_seconds: float = 0.0
    assessment: Assessment | None = None
    located: Located | None = None
    looked_up: tuple[str, ...] = ()

    def get(self, evidence_id: str) -> Evidence | None:
        """Return the item with that id, or None."""
        return next((item for item in (*self.items, *self.earlier) if item.id == evidence_id), None)

    def by_role(self, *roles: Role) -> tuple[Evidence, ...]:
        """Return the items with one of the roles, in order."""
        return tuple(item for item in self.items if item.role in roles)


def to_json(bundle: EvidenceBundle) -> dict[str, Any]:
    """Return the bundle as JSON types; times become ISO 8601 text."""
    return {name: _plain(value) for name, value in asdict(bundle).items()}


def from_json(data: Mapping[str, Any]) -> EvidenceBundle:
    """Return the bundle that `to_json` wrote. Raises KeyError or ValueError when it is not one."""
    moment = datetime.fromisoformat
    return EvidenceBundle(
        gathered_at=moment(data["gathered_at"]),
        incident_start=moment(data["incident_start"]),
        incident_end=moment(data["incident_end"]),
        services=tuple(data["services"]),
        items=tuple(map(_item, data["items"])),
        hypotheses=tuple(map(_hypothesis, data["hypotheses"])),
        gaps=tuple(data["gaps"]),
        next_check=data["next_check"],
        edges=tuple((caller, callee) for caller, callee in data["edges"]),
        earlier=tuple(map(_item, data.get("earlier", ()))),
        shifted_by_seconds=data.get("shifted_by_seconds", 0.0),
        assessment=assessment_from_json(data["assessment"]) if data.get("assessment") else None,
        located=located_from_json(data["located"]) if data.get("located") else None,
        looked_up=tuple(data.get("looked_up", ())),
    )


def _hypothesis(data: Mapping[str, Any]) -> Hypothesis:
    # Before all figures became one, a share of the blame was pinned.
    confidence = data["confidence"] if "confidence" in data else data["score"]
    return Hypothesis(
        data["service"],
        data["sentence"],
        confidence,
        data["verdict"],
        tuple(data["supporting"]),
        tuple(data["opposing"]),
    )


def _item(data: Mapping[str, Any]) -> Evidence:
    return Evidence(
        **{
            **data,
            "kind": Kind(data["kind"]),
            "role": Role(data["role"]),
            "start": datetime.fromisoformat(data["start"]),
            "end": datetime.fromisoformat(data["end"]),
            "excerpt": tuple(data["excerpt"]),
        }
    )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value  # most are: asking each whether it is a mapping takes longer than all the rest
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [_plain(inner) for inner in value]
    return value
