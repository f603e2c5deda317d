"""What an incident's page reads out of its bundle and brief, as plain values for the templates."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache

from copilot.answers.brief import Brief
from copilot.evidence.bundle import EvidenceBundle
from copilot.evidence.wording import percent
from copilot.llm import chat_model
from copilot.views.assessment import ShownAssessment, shown_assessment
from copilot.views.claims import ShownClaim, shown
from copilot.views.evidence_cards import Card, cards
from copilot.views.localization import Panel, panel
from copilot.views.service_map import ServiceMap, service_map
from copilot.views.verdict import LEAST_CHANCE, leading_suspect

MODEL_STATUS_SECONDS = 10
SUGGESTED, OPEN_QUESTIONS = 5, 2
NEXT_CHECK = "What should I check next?"
KNOWLEDGE = ("passage", "precedent")


@dataclass(frozen=True, slots=True)
class Section:
    """One group of the brief's sentences."""

    title: str
    claims: tuple[ShownClaim, ...]


@dataclass(frozen=True, slots=True)
class ShownHypothesis:
    """One explanation. `percent` is the gauge's width; `supporting` and `opposing` are ids that exist."""

    service: str
    sentence: str
    percent: str
    verdict: str
    is_ruled_out: bool
    supporting: tuple[str, ...]
    opposing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many items of a kind there are, for the filter above them."""

    kind: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything below the header that rests on the bundle."""

    sections: tuple[Section, ...]
    steps: tuple[ShownClaim, ...]
    hypotheses: tuple[ShownHypothesis, ...]
    left_over: str
    assessment: ShownAssessment | None
    map: ServiceMap | None
    panel: Panel | None
    cards: tuple[Card, ...]
    knowledge: tuple[Card, ...]
    kinds: tuple[KindCount, ...]
    gathered_at: datetime
    seconds: str


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Which model answers, and why it does not."""

    name: str
    available: bool
    reason: str


_GROUPS = (
    ("What happens", ("what", "affected", "since")),
    ("Cause", ("cause",)),
    ("Ruled out", ("ruled_out",)),
    ("Tried, and did not help", ("tried",)),
    ("Not seen", ("unseen",)),
)
_KIND_LABELS = {"metric": "Metrics", "log": "Logs", "trace": "Traces", "change": "Changes", "attached": "Files"}


def explanation(bundle: EvidenceBundle | None, brief: Brief | None, *, seconds: float) -> Explanation | None:
    """Return what the page shows of a look that took so many seconds, None before the first."""
    if bundle is None or brief is None:
        return None
    known = {item.id for item in bundle.items}
    sections = (
        Section(title, shown([claim for name in names for claim in getattr(brief, name)], known=known))
        for title, names in _GROUPS
    )
    everything = cards(bundle, brief=brief)
    own = tuple(card for card in everything if card.kind not in KNOWLEDGE)
    return Explanation(
        sections=tuple(section for section in sections if section.claims),
        steps=shown(brief.steps, known=known),
        hypotheses=_hypotheses(bundle, known=known),
        left_over=_left_over(bundle),
        assessment=shown_assessment(bundle),
        map=None if bundle.located else service_map(bundle),
        panel=panel(bundle),
        cards=own,
        knowledge=tuple(card for card in everything if card.kind in KNOWLEDGE),
        kinds=tuple(
            KindCount(kind, label, count)
            for kind, label in _KIND_LABELS.items()
            if (count := sum(card.kind == kind for card in own))
        ),
        gathered_at=bundle.gathered_at,
        seconds=f"{seconds:.1f} s" if seconds else "",
    )


def claims_citing(brief: Brief | None, evidence_id: str, *, known: Collection[str]) -> tuple[ShownClaim, ...]:
    """Return the brief's sentences that rest on an item."""
    return shown([claim for claim in (brief.claims() if brief else ()) if evidence_id in claim.cites], known=known)


def suggested_questions(bundle: EvidenceBundle | None, *, asked: Collection[str] = ()) -> tuple[str, ...]:
    """Return at most five questions that the evidence can answer, none of those already `asked`.

    What would separate the suspects comes first, then what the attempts to refute the leader left open, then what everybody asks.
    """
    if bundle is None:
        return ()
    likely = [h.service for h in bundle.hypotheses if h.verdict != "ruled out" and h.confidence >= LEAST_CHANCE]
    unsettled = bundle.assessment.questions[:OPEN_QUESTIONS] if bundle.assessment else ()
    wanted = [
        *([NEXT_CHECK] if bundle.next_check else []),
        *([f"Why {likely[0]}?"] if likely else []),
        *unsettled,
        *([f"Could it be {likely[1]} instead?"] if len(likely) > 1 else []),
        "What changed?",
        "What should I do now?",
        "Has this happened before?",
        "Who is affected?",
    ]
    known = {_alike(text) for text in asked}
    return tuple(question for question in dict.fromkeys(wanted) if _alike(question) not in known)[:SUGGESTED]


def _alike(question: str) -> str:
    return " ".join(question.casefold().split()).rstrip("?. ")


def model_status() -> ModelStatus:
    """Return which model answers questions, as it was at most ten seconds ago: a server that hangs is not asked by every page."""
    status = cache.get_or_set("model-status", chat_model.status, MODEL_STATUS_SECONDS) or {}
    return ModelStatus(str(status.get("name", "")), bool(status.get("available")), str(status.get("detail") or ""))


def _hypotheses(bundle: EvidenceBundle, *, known: Collection[str]) -> tuple[ShownHypothesis, ...]:
    return tuple(
        ShownHypothesis(
            service=h.service,
            sentence=h.sentence,
            percent=percent(h.confidence),
            verdict=h.verdict,
            is_ruled_out=h.verdict == "ruled out",
            supporting=tuple(cite for cite in h.supporting if cite in known),
            opposing=tuple(cite for cite in h.opposing if cite in known),
        )
        for h in bundle.hypotheses
        # One without a chance and without evidence says nothing.
        if h.confidence >= LEAST_CHANCE or h.supporting or h.opposing
    )


def _left_over(bundle: EvidenceBundle) -> str:
    rest = 1.0 - sum(h.confidence for h in bundle.hypotheses if h.verdict != "ruled out")
    return f"{percent(rest)} left for anything else" if leading_suspect(bundle) and rest >= LEAST_CHANCE else ""
