"""The brief: what an engineer needs first, written by code from the evidence alone. It needs no model."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from copilot.answers.claims import CheckedClaim, Verdict
from copilot.evidence import passages
from copilot.evidence.assessment import Assessment, Certainty, Result
from copilot.evidence.bundle import Evidence, EvidenceBundle, Hypothesis, Kind, Role
from copilot.evidence.wording import clock, joined, percent, span_of_time

STEPS_SHOWN = 4

Claims = tuple[CheckedClaim, ...]


@dataclass(frozen=True, slots=True)
class Brief:
    """Sections in reading order; each sentence cites its evidence, or has no citation where it reports an absence.

    `headline` says what is wrong; `confidence` is the leading hypothesis's, in [0, 1], 0 when there is none; `undecided` is true
    when the evidence does not separate the leader from its rival.
    """

    headline: str
    confidence: float
    undecided: bool
    what: Claims
    since: Claims
    affected: Claims
    cause: Claims
    rivals: Claims
    ruled_out: Claims
    unseen: Claims
    next_check: Claims
    steps: Claims
    tried: Claims = ()

    def claims(self) -> Claims:
        """Return every sentence in reading order."""
        return (
            *self.what,
            *self.since,
            *self.affected,
            *self.cause,
            *self.rivals,
            *self.ruled_out,
            *self.unseen,
            *self.next_check,
            *self.tried,
            *self.steps,
        )


def write(bundle: EvidenceBundle, *, title: str) -> Brief:
    """Return the brief of a bundle. Every part may be empty except the headline; nothing is made up to fill one."""
    leading = [h for h in bundle.hypotheses if h.verdict != "ruled out"]
    undecided = bool(leading) and leading[0].verdict != "likely"
    return Brief(
        headline=title,
        confidence=leading[0].confidence if leading else 0.0,
        undecided=undecided,
        what=tuple(_cited(item.statement, item) for item in bundle.by_role(Role.SYMPTOM)),
        since=_since(bundle),
        affected=_affected(bundle),
        cause=_cause(bundle, leading, undecided=undecided),
        rivals=_rivals(leading[1:], undecided=undecided),
        ruled_out=_ruled_out(bundle),
        unseen=tuple(_said(gap) for gap in bundle.gaps),
        next_check=(_said(bundle.next_check),) if bundle.next_check else (),
        steps=tuple(_steps(bundle)),
        tried=tuple(_cited(item.statement, item) for item in bundle.by_role(Role.FAILED)),
    )


def _since(bundle: EvidenceBundle) -> Claims:
    ids = tuple(item.id for item in bundle.by_role(Role.SYMPTOM))[:2]
    lasted = span_of_time(bundle.incident_end - bundle.incident_start)
    text = f"It began at {clock(bundle.incident_start)} UTC on {bundle.incident_start:%d %B %Y}; the evidence covers {lasted} from then."
    return (_said(text, *ids),)


def _affected(bundle: EvidenceBundle) -> Claims:
    if not bundle.services:
        return ()
    callers = sorted({caller for caller, callee in bundle.edges if callee in bundle.services} - set(bundle.services))
    seen = [item.id for item in bundle.by_role(Role.SYMPTOM) if item.service in bundle.services]
    said = f"Affected: {joined(list(bundle.services))}."
    if callers:
        said += f" Callers of these without a departure of their own: {joined(callers[:4])}."
    return (_said(said, *seen[:3]),)


def _cause(bundle: EvidenceBundle, leading: list[Hypothesis], *, undecided: bool) -> Claims:
    if not leading:
        return (_said("No service stands out: the evidence names no cause."),)
    first = leading[0]
    start = _named(leading, bundle.assessment, undecided=undecided)
    items = [item for item in bundle.by_role(Role.CAUSE) if item.service == first.service]
    return (
        CheckedClaim(f"{start}: {_sentence(first.sentence)}", first.supporting, Verdict.SUPPORTED),
        *_refuted(bundle.assessment),
        *(_cited(item.statement, item) for item in items),
        *_changes(bundle, first.service),
    )


def _named(leading: list[Hypothesis], assessment: Assessment | None, *, undecided: bool) -> str:
    """Return how the first hypothesis is introduced: as the cause, as one of two, or as the first of several that is not sure enough."""
    first = leading[0]
    if not undecided:
        is_confirmed = assessment is not None and assessment.certainty is Certainty.CONFIRMED
        return f"{'It is' if is_confirmed else 'Probably'} {first.service} (a chance of {percent(first.confidence)})"
    if assessment is None or any(one.check == "rival" for one in assessment.ended(Result.OPEN)):
        return (
            f"The evidence does not separate {first.service} ({percent(first.confidence)}) from {leading[1].service} ({percent(leading[1].confidence)})"
            if len(leading) > 1
            else f"Probably {first.service} (a chance of {percent(first.confidence)})"
        )
    if assessment.ended(Result.REFUTED):
        return f"Possibly {first.service} (a chance of {percent(first.confidence)}), though something speaks against it"
    return f"Possibly {first.service} (a chance of {percent(first.confidence)}), but not surely enough to name it"


def _refuted(assessment: Assessment | None) -> Claims:
    found = assessment.ended(Result.REFUTED) if assessment else ()
    return tuple(_said(f"Against it: {one.answer}", *one.cites) for one in found)


def _changes(bundle: EvidenceBundle, service: str) -> Iterable[CheckedClaim]:
    for item in bundle.items:
        if item.kind is Kind.CHANGE:
            about = "" if item.service == service else " It is not a change of the leading suspect."
            yield _cited(item.statement + about, item)


def _rivals(others: list[Hypothesis], *, undecided: bool) -> Claims:
    shown = others[1:] if undecided else others
    return tuple(
        CheckedClaim(
            f"Less likely {other.service} ({percent(other.confidence)}): {_sentence(other.sentence)}",
            other.supporting,
            Verdict.SUPPORTED,
        )
        for other in shown
        if other.supporting
    )


def _ruled_out(bundle: EvidenceBundle) -> Claims:
    ruled = tuple(
        CheckedClaim(f"Not {h.service}: {_sentence(h.sentence)}", h.opposing, Verdict.SUPPORTED)
        for h in bundle.hypotheses
        if h.verdict == "ruled out"
    )
    traffic = tuple(_cited(item.statement, item) for item in bundle.by_role(Role.CONTEXT) if item.kind is Kind.METRIC)
    return ruled + traffic


def _steps(bundle: EvidenceBundle) -> Iterable[CheckedClaim]:
    """Yield the first numbered steps of the best runbook passage that has any; then what a precedent says."""
    for item in bundle.items:
        if item.kind is Kind.PASSAGE and (found := passages.steps(str(item.detail.get("text", "")))):
            yield from (_said(step, item.id) for step in found[:STEPS_SHOWN])
            break
    for item in bundle.items:
        if item.kind is Kind.PRECEDENT and item.role is Role.REMEDY:
            yield _cited(item.statement, item)


def _cited(text: str, item: Evidence) -> CheckedClaim:
    return CheckedClaim(text, (item.id,), Verdict.SUPPORTED)


def _said(text: str, *cites: str) -> CheckedClaim:
    return CheckedClaim(text, cites, Verdict.SUPPORTED)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else text + "."


def to_json(brief: Brief) -> dict[str, Any]:
    """Return the brief as JSON types."""
    return {
        name: [dict(claim) for claim in value] if isinstance(value, tuple) else value
        for name, value in asdict(brief).items()
    }


def from_json(data: Mapping[str, Any]) -> Brief:
    """Return the brief that `to_json` wrote. Raises KeyError or TypeError when it is not one."""
    fields: dict[str, Any] = {
        name: tuple(map(_claim_of, value)) if isinstance(value, list) else value for name, value in data.items()
    }
    return Brief(**fields)


def _claim_of(data: Mapping[str, Any]) -> CheckedClaim:
    return CheckedClaim(data["text"], tuple(data["cites"]), Verdict(data["verdict"]), data["reason"])
