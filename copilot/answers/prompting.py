"""Writes the prompt of an answer: the bundle first and always the same, so that it stays cached; the question and its facts last."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from copilot.answers import claim_stream
from copilot.answers.focus import Focus
from copilot.evidence.bundle import Evidence, EvidenceBundle, Hypothesis, Kind, Role
from copilot.llm import prompts
from copilot.llm.plain_text import clean
from copilot.llm.prompts import Prompt, estimate_tokens
from copilot.llm.redaction import redact

FIRST_QUESTION = "What happened, what is the most likely cause, and which evidence speaks for it?"
QUESTION_TOKENS = 330  # kept free for what follows the stable part
LINE = 260  # characters of an evidence item
PASSAGE = 360  # of a runbook passage, whose steps are what one wants of it
QUESTION, FACTS, HISTORY = 360, 360, 220
OUTPUT_TOKENS = 320
# What is left out last when the bundle is too large.
_ORDER = (Role.CAUSE, Role.SYMPTOM, Role.AGAINST, Role.CONTEXT, Role.RIVAL, Role.REMEDY)
_HEADINGS = {
    Role.SYMPTOM: "Symptoms",
    Role.CAUSE: "For the leading suspect",
    Role.RIVAL: "For other suspects",
    Role.AGAINST: "Against a suspect",
    Role.CONTEXT: "Context",
    Role.REMEDY: "What helped or may help",
}

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question and what was answered."""

    question: str
    answer: str


def write(
    question: str, *, bundle: EvidenceBundle, focus: Focus, history: Sequence[Turn], tokens: int, mask: Mask
) -> Prompt:
    """Return the prompt for a question, of about `tokens` at most. Raises RedactionFailed."""
    chosen = _chosen(bundle, tokens=tokens)
    told = {item.id for item in chosen}
    extra = [item for id_ in focus.relevant if id_ not in told and (item := bundle.get(id_)) is not None][:2]
    # What was said before gives way when the question itself is long, then the further items.
    for turns, more in ((2, extra), (1, extra), (0, extra), (0, [])):
        user = _user(question, bundle=bundle, focus=focus, history=history[-turns:] if turns else (), extra=more)
        if estimate_tokens(user) <= QUESTION_TOKENS:
            break
    least = 2 if len(focus.relevant) > 2 else 1  # a small model stops after one sentence that repeats the question
    return Prompt(
        system=redact(_system(bundle, chosen), mask=mask),
        user=redact(user, mask=mask),
        schema=claim_stream.schema(tuple(item.id for item in bundle.items), least=least) if bundle.items else None,
        max_tokens=OUTPUT_TOKENS,
    )


def _user(
    question: str, *, bundle: EvidenceBundle, focus: Focus, history: Sequence[Turn], extra: Sequence[Evidence]
) -> str:
    return prompts.render(
        "answer_question.txt",
        marker=_marker(bundle),
        question=clean(question, limit=QUESTION) or FIRST_QUESTION,
        computed=clean(" ".join(claim.text for claim in focus.computed), limit=FACTS),
        look_at=", ".join(focus.relevant[:4]),
        extra=[_line(item) for item in extra],
        history=" / ".join(clean(f"{turn.question} {turn.answer}", limit=HISTORY) for turn in history),
    )


def _system(bundle: EvidenceBundle, items: Sequence[Evidence]) -> str:
    return prompts.render(
        "answer_system.txt",
        marker=_marker(bundle),
        began=f"{bundle.incident_start:%Y-%m-%d %H:%M:%S}",
        until=f"{bundle.incident_end:%H:%M:%S}",
        affected=clean(", ".join(bundle.services), limit=200) or "unknown",
        evidence=_lines(items),
        verdicts=[_verdict(hypothesis) for hypothesis in bundle.hypotheses[:5]] or ["No service stands out."],
        gaps=[f"- {clean(gap, limit=120)}" for gap in bundle.gaps[:3]],
    )


def _chosen(bundle: EvidenceBundle, *, tokens: int) -> list[Evidence]:
    """Return the items that fit, in the bundle's order; the role decides which stay out."""
    left = tokens - QUESTION_TOKENS - estimate_tokens(_system(bundle, ()))
    fitting = []
    for item in sorted(bundle.items, key=lambda item: _ORDER.index(item.role)):
        cost = estimate_tokens(_line(item)) + 1
        if cost <= left:
            left -= cost
            fitting.append(item)
    return [item for item in bundle.items if item in fitting]


def _line(item: Evidence) -> str:
    text = clean(item.statement, limit=LINE)
    if item.kind is Kind.PASSAGE and item.excerpt:
        text = f"{clean(item.title, limit=80)}: {clean(' '.join(item.excerpt), limit=PASSAGE)}"
    return f"[{item.id}] {text}"


def _lines(items: Sequence[Evidence]) -> list[str]:
    """Return the items under a heading for each role, in the order in which one reads about an incident."""
    lines = []
    for role, heading in _HEADINGS.items():
        found = [_line(item) for item in items if item.role is role]
        lines += [f"{heading}:", *found] if found else []
    return lines


def _verdict(hypothesis: Hypothesis) -> str:
    verdict = {"likely": "likely cause", "possible": "possible cause"}.get(hypothesis.verdict, "NOT the cause")
    cites = ", ".join((hypothesis.opposing if hypothesis.verdict == "ruled out" else hypothesis.supporting)[:3])
    return f"- {hypothesis.service}: {verdict}. {clean(hypothesis.sentence, limit=160)}" + (
        f" ({cites})" if cites else ""
    )


def _marker(bundle: EvidenceBundle) -> str:
    return prompts.marker(f"{bundle.gathered_at.isoformat()} {bundle.incident_start.isoformat()} {len(bundle.items)}")
