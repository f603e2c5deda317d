"""Writes the prompt of an answer: the bundle first and always the same, so that it stays cached; the question and its facts last."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from copilot.answers import claim_stream
from copilot.answers.focus import About, Focus, ids_in
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind, Role
from copilot.evidence.wording import joined
from copilot.llm import prompts
from copilot.llm.plain_text import clean
from copilot.llm.prompts import Prompt, PromptBudget, estimate_tokens
from copilot.llm.redaction import masked, redact
from copilot.llm.user_input import abstracted

FIRST_QUESTION = "What happened, what is the most likely cause, and which evidence speaks for it?"
PROMPT = "answer"  # its folder in templates/prompts
QUESTION_TOKENS = 220  # the longest question alone, for which room is kept whatever the budget's tail
ROLE_TOKENS = 10  # what a chat template puts around the question
LINE = 260  # characters of an evidence item
PASSAGE = 240  # of a runbook passage, whose steps code shows itself
QUESTION, EARLIER, DECIDED, HISTORY, REASON = 360, 80, 100, 220, 170
OUTPUT_TOKENS = 320
ROOM_TO_TALK = 200  # tokens of a tail that has room for a conversation
MOST_FURTHER = 2  # items that the question brings along
MOST_NAMED = 4  # ids that the model is asked to look at
# What is left out last when the bundle is too large.
_ORDER = (Role.CAUSE, Role.SYMPTOM, Role.AGAINST, Role.CONTEXT, Role.FAILED, Role.RIVAL, Role.REMEDY)
_HEADINGS = {
    Role.SYMPTOM: "Symptoms",
    Role.CAUSE: "For the leading suspect",
    Role.RIVAL: "For other suspects",
    Role.AGAINST: "Against a suspect",
    Role.CONTEXT: "Context",
    Role.REMEDY: "What helped or may help",
    Role.FAILED: "Tried without success",
}

_CLAUSE_END = re.compile(r"(?<=\))[:;] |; |(?<=\.) ")

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question and what was answered."""

    question: str
    answer: str


def write(
    question: str, *, bundle: EvidenceBundle, focus: Focus, history: Sequence[Turn], budget: PromptBudget, mask: Mask
) -> Prompt:
    """Return the prompt for a question within the budget; a question that fills its tail alone comes without anything else.

    Raises RedactionFailed.
    """
    chosen = _chosen(bundle, tokens=budget.whole - max(budget.tail, QUESTION_TOKENS), version=budget.version)
    told = [item.id for item in chosen]
    further = [
        item
        for id_ in focus.relevant
        if (item := bundle.get(id_)) is not None and (id_ not in told or _is_opened(item, question))
    ]
    # A question that code has recognised stands alone; beside it an earlier one leads a small model astray.
    # Masked before anything is cut or put on one line: half a secret has no form any more.
    history = [Turn(masked(turn.question, mask=mask), masked(turn.answer, mask=mask)) for turn in history]
    earlier = history if focus.about is About.OTHER or budget.tail >= ROOM_TO_TALK else ()
    for beside in _fillings(earlier, further[:MOST_FURTHER]):
        user = _user(question, bundle=bundle, focus=focus, beside=beside, seen=told, version=budget.version)
        if estimate_tokens(user) + ROLE_TOKENS <= budget.tail:
            break
    least = 2 if len(focus.relevant) > 2 else 1  # a small model stops after one sentence that repeats the question
    return Prompt(
        system=redact(_system(bundle, chosen, version=budget.version), mask=mask),
        user=redact(user, mask=mask),
        schema=claim_stream.schema(_citable(bundle, focus), least=least) if bundle.items else None,
        max_tokens=OUTPUT_TOKENS,
        version=prompts.identity(PROMPT, budget.version),
    )


def _citable(bundle: EvidenceBundle, focus: Focus) -> tuple[str, ...]:
    """Return the ids that an answer may cite: the bundle's, and what was looked up for the question."""
    return tuple(dict.fromkeys((*(item.id for item in bundle.items), *focus.relevant)))


def _fillings(history: Sequence[Turn], further: Sequence[Evidence]) -> Iterator[tuple[str, Sequence[Evidence]]]:
    """Yield what may stand beside the question, the fullest first: evidence that it needs goes before what was said."""
    turns = " / ".join(clean(f"{turn.question} {turn.answer}", limit=HISTORY) for turn in history)
    last = clean(history[-1].question, limit=EARLIER) if history else ""
    yield turns, further
    for count in range(len(further), -1, -1):
        for said in (last, ""):
            yield said, further[:count]


def _user(
    question: str,
    *,
    bundle: EvidenceBundle,
    focus: Focus,
    beside: tuple[str, Sequence[Evidence]],
    seen: Sequence[str],
    version: str,
) -> str:
    history, extra = beside
    opened = ids_in(question)
    visible = {*seen, *(item.id for item in extra)}
    return prompts.render(
        f"{PROMPT}/{version}/question.txt",
        marker=marker_of(bundle),
        question=clean(question, limit=QUESTION) or FIRST_QUESTION,
        decided=_decided(focus, bundle, visible),
        look_at=", ".join([id_ for id_ in focus.relevant if id_ in visible][:MOST_NAMED]),
        extra=[_line(item, opened=item.id in opened) for item in extra],
        history=history,
    )


def _decided(focus: Focus, bundle: EvidenceBundle, visible: Collection[str]) -> str:
    """Return the first decided sentence in short: the id of the item that says it, or its first clause. The model has read the rest."""
    if not focus.computed:
        return ""
    first = focus.computed[0]
    said_by = [id_ for id_ in first.cites if (item := bundle.get(id_)) is not None and item.statement == first.text]
    if said_by and said_by[0] in visible:
        return said_by[0]
    return clean(_CLAUSE_END.split(first.text)[0], limit=DECIDED)


def _system(bundle: EvidenceBundle, items: Sequence[Evidence], *, version: str) -> str:
    return prompts.render(
        f"{PROMPT}/{version}/system.txt",
        marker=marker_of(bundle),
        began=f"{bundle.incident_start:%Y-%m-%d %H:%M:%S}",
        until=f"{bundle.incident_end:%H:%M:%S}",
        affected=clean(", ".join(bundle.services), limit=200) or "unknown",
        evidence=lines_of(items),
        verdicts=verdicts_of(bundle) or ["No service stands out."],
        gaps=[f"- {clean(gap, limit=120)}" for gap in bundle.gaps[:3]],
    )


def _chosen(bundle: EvidenceBundle, *, tokens: int, version: str) -> list[Evidence]:
    """Return the items that fit, in the bundle's order; the role decides which stay out."""
    left = tokens - estimate_tokens(_system(bundle, (), version=version))
    fitting = []
    # What files show comes with the question: the part that stays cached must not change with each file.
    told = [item for item in bundle.items if item.kind is not Kind.ATTACHED or not bundle.hypotheses]
    for item in sorted(told, key=lambda item: _ORDER.index(item.role)):
        cost = estimate_tokens(_line(item)) + 1
        if cost <= left:
            left -= cost
            fitting.append(item)
    return [item for item in bundle.items if item in fitting]


def untrusted(text: str, *, limit: int) -> str:
    """Return recorded text as a model may read it: on one line, cut, without hidden characters, and without what callers wrote."""
    return clean(abstracted(clean(text)), limit=limit)


def _is_opened(item: Evidence, question: str) -> bool:
    """Return whether a person asks for an item by its id that hides what a caller wrote: then the words are shown to the model, too."""
    return item.id in ids_in(question) and _line(item, opened=True) != _line(item)


def _line(item: Evidence, *, opened: bool = False) -> str:
    # Of what is not about the leading suspect the finding is enough, without its example.
    text = item.statement.partition(". ")[0] if item.role is Role.RIVAL else item.statement
    text = clean(text, limit=LINE) if opened else untrusted(text, limit=LINE)
    if item.kind is Kind.PASSAGE and item.excerpt:
        text = f"{clean(item.title, limit=80)}: {clean(' '.join(item.excerpt), limit=PASSAGE)}"
    return f"[{item.id}] {text}"


def lines_of(items: Sequence[Evidence]) -> list[str]:
    """Return the items under a heading for each role, in the order in which one reads about an incident."""
    lines = []
    for role, heading in _HEADINGS.items():
        found = [_line(item) for item in items if item.role is role]
        lines += [f"{heading}:", *found] if found else []
    return lines


def verdicts_of(bundle: EvidenceBundle) -> list[str]:
    """Return a line for each verdict; services with the same verdict for the same reason share one."""
    alike: dict[tuple[str, str], list[str]] = {}
    for hypothesis in bundle.hypotheses[:5]:
        verdict = {"likely": "likely cause", "possible": "possible cause"}.get(hypothesis.verdict, "NOT the cause")
        cites = (hypothesis.opposing if hypothesis.verdict == "ruled out" else hypothesis.supporting)[:3]
        reason = _whole_clauses(hypothesis.sentence) + (f" ({', '.join(cites)})" if cites else "")
        alike.setdefault((verdict, reason), []).append(hypothesis.service)
    return [f"- {joined(services)}: {verdict}. {reason}" for (verdict, reason), services in alike.items()]


def _whole_clauses(sentence: str) -> str:
    """Return as many clauses of a sentence as fit: a small model copies the dots of a cut one."""
    first, *rest = abstracted(clean(sentence)).split("; ")
    for clause in rest:
        if len(first) + len(clause) > REASON:
            break
        first = f"{first}; {clause}"
    return clean(first, limit=REASON)


def marker_of(bundle: EvidenceBundle) -> str:
    """Return the word that fences what is recorded data in every prompt about this bundle."""
    return prompts.marker(f"{bundle.gathered_at.isoformat()} {bundle.incident_start.isoformat()} {len(bundle.items)}")
