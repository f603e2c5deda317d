"""What a model reads of an investigation: the incident, the question, its calls with their results, and in short what no longer fits."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from copilot.answers import prompting
from copilot.answers.focus import Focus
from copilot.answers.investigation.ledger import DONE, Step
from copilot.answers.prompting import Turn as Earlier
from copilot.evidence.bundle import EvidenceBundle, Kind
from copilot.llm import prompts
from copilot.llm.plain_text import clean
from copilot.llm.prompts import Prompt, estimate_tokens
from copilot.llm.redaction import redact
from copilot.llm.tool_calling import Conversation, Exchange, Tool

PROMPT, VERSION = "investigation", "1"
MOST_TOKENS = 20_000  # of what a turn sends, beside the tools
OUTPUT_TOKENS = 900
EVIDENCE_TOKENS = 1_000
PAGE, LINE = 40, 160  # lines of a page, characters of a line
DIGEST = 160  # characters of a result that is told in short
MOST_DIGESTS = 60
STATEMENT = 400

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Asked:
    """The question with what is said beside it."""

    question: str
    focus: Focus
    history: Sequence[Earlier]


def write(
    asked: Asked,
    *,
    bundle: EvidenceBundle,
    exchanges: Sequence[Exchange],
    steps: Sequence[Step],
    tools: tuple[Tool, ...],
    mask: Mask,
) -> Conversation:
    """Return what is sent next. What the oldest turns brought is told in a line each when all would be too long. Raises RedactionFailed.

    `exchanges` are the turns that are still whole, their results redacted already; `steps` are all, so that none is forgotten.
    """
    system = redact(_system(bundle), mask=mask)
    shown = _newest(exchanges, MOST_TOKENS - estimate_tokens(system))
    whole = sum(len(exchange.calls) for exchange in shown)
    told = steps[: len(steps) - whole] if whole else steps
    user = redact(_user(asked, bundle, told), mask=mask)
    prompt = Prompt(system, user, None, OUTPUT_TOKENS, prompts.identity(PROMPT, VERSION))
    return Conversation(prompt, tuple(shown), tools)


def result_of(step: Step, bundle: EvidenceBundle, *, page: int = 1) -> str:
    """Return what a model is told of a step: its items, and one page of its table with how many lines there are in all."""
    if step.state != DONE:
        return f"{step.state.capitalize()}: {step.reason}"
    said = [
        f"[{id_}] {prompting.untrusted(item.statement, limit=STATEMENT)}"
        for id_ in step.evidence
        if (item := bundle.get(id_))
    ]
    if page > 1:
        said = [f"Items: {', '.join(step.evidence)}"]
    if step.note:
        said.append(clean(step.note, limit=STATEMENT))
    marker = prompting.marker_of(bundle)
    return "\n".join((f"<{marker}>", *said, *_page(step, page), f"</{marker}>"))


def pages(step: Step) -> int:
    """Return how many pages a step's table has."""
    return -(-len(step.lines) // PAGE)


def _page(step: Step, page: int) -> list[str]:
    total, first = len(step.lines), (page - 1) * PAGE
    shown = step.lines[first : first + PAGE]
    if not shown:
        return []
    more = f"; next page: read_more(result={step.number}, page={page + 1})" if first + PAGE < total else ""
    return [
        f"Lines {first + 1}–{first + len(shown)} of {total:,}{more}:",
        *(prompting.untrusted(line, limit=LINE) for line in shown),
    ]


def _system(bundle: EvidenceBundle) -> str:
    left, items = EVIDENCE_TOKENS, []
    for item in bundle.items:
        line = prompting.lines_of([item])[-1]
        left -= estimate_tokens(line)
        if left < 0 or (item.kind is Kind.ATTACHED and bundle.hypotheses):
            continue
        items.append(item)
    minutes = (bundle.incident_end - bundle.incident_start).total_seconds() / 60
    return prompts.render(
        f"{PROMPT}/{VERSION}/system.txt",
        marker=prompting.marker_of(bundle),
        began=f"{bundle.incident_start:%Y-%m-%d %H:%M:%S}",
        until=f"{bundle.incident_end:%H:%M:%S}",
        end_minute=round(minutes),
        affected=clean(", ".join(bundle.services), limit=200) or "unknown",
        evidence=prompting.lines_of(items),
        verdicts=prompting.verdicts_of(bundle) or ["No service stands out."],
        gaps=[f"- {clean(gap, limit=120)}" for gap in bundle.gaps[:3]],
    )


def _user(asked: Asked, bundle: EvidenceBundle, told: Sequence[Step]) -> str:
    history = " / ".join(clean(f"{turn.question} {turn.answer}", limit=prompting.HISTORY) for turn in asked.history)
    return prompts.render(
        f"{PROMPT}/{VERSION}/question.txt",
        marker=prompting.marker_of(bundle),
        question=clean(asked.question, limit=prompting.QUESTION) or prompting.FIRST_QUESTION,
        history=history,
        decided=" ".join(clean(claim.text, limit=prompting.DECIDED) for claim in asked.focus.computed[:2]),
        done=[_digest(step, bundle) for step in told[-MOST_DIGESTS:]],
    )


def _digest(step: Step, bundle: EvidenceBundle) -> str:
    values = {name: value for name, value in step.values.items() if value is not None}
    found = [
        f"[{id_}] {prompting.untrusted(item.statement, limit=DIGEST)}"
        for id_ in step.evidence[:3]
        if (item := bundle.get(id_))
    ]
    said = " ".join(found) or clean(step.reason, limit=DIGEST) or step.state
    return f"{step.number}. {step.tool}{clean(json.dumps(values), limit=DIGEST)}: {said}"


def _newest(exchanges: Sequence[Exchange], tokens: int) -> list[Exchange]:
    """Return as many of the newest turns as fit, in order; the newest always."""
    kept: list[Exchange] = []
    for exchange in reversed(exchanges):
        text = " ".join((exchange.said, exchange.next, *(f"{told.arguments} {told.result}" for told in exchange.calls)))
        tokens -= estimate_tokens(text)
        if tokens < 0 and kept:
            break
        kept.append(exchange)
    return kept[::-1]
