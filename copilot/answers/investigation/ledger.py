"""What an investigation did, step by step: kept, so that nothing is done twice, whatever a model forgets and whichever worker goes on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from copilot.answers.investigation.found import Found
from copilot.answers.investigation.toolbox import Call
from copilot.evidence import looked_up
from copilot.evidence.bundle import Evidence, EvidenceBundle
from copilot.llm.failures import CallEnded
from copilot.llm.usage import CallUsage
from copilot.privacy.cover import cover
from copilot.privacy.pseudonyms import Pseudonyms

MOST_LINES, MOST_CHARACTERS, LONGEST_LINE = 2_000, 400_000, 1_000  # of a result that is kept
SAME_WINDOW = 0.8  # share of two windows' time that both hold
SAME_WORDS = 0.75
RUNNING, DONE, NOTHING, REFUSED, FAILED = "running", "done", "nothing", "refused", "failed"
_WINDOWS = (("from_minute", "to_minute"), ("first_from", "first_to"), ("second_from", "second_to"))
_WORDS = ("text", "words")


class Stopped(CallEnded):
    """Somebody stopped the investigation, or another worker has it; the message says who."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `values` are its arguments; `reason` says why it was refused, failed or found nothing; `lines` is its whole table."""

    number: int
    turn: int
    tool: str
    values: Mapping[str, Any]
    state: str = RUNNING
    reason: str = ""
    evidence: tuple[str, ...] = ()
    note: str = ""
    lines: tuple[str, ...] = ()
    seconds: float = 0.0


class Ledger(Protocol):
    """Keeps the steps of one investigation, what it found and spent, and listens to people."""

    @property
    def bundle(self) -> EvidenceBundle:
        """The evidence with all that was looked up so far."""

    @property
    def steps(self) -> Sequence[Step]:
        """All steps in order, those before a restart included."""

    def open(self) -> None:
        """Show that people may steer it."""

    def plan(self, text: str) -> None:
        """Show what the model wants to find out."""

    def begin(self, steps: Sequence[Step]) -> None:
        """Keep steps that begin together, or that are refused."""

    def end(self, step: Step, found: Found) -> Step:
        """Keep what a step found; return it with its evidence."""

    def spend(self, usage: CallUsage) -> None:
        """Keep what a call of the model took."""

    def why_not(self) -> str:
        """Return why the model may not be asked again, "" when it may: money, tokens, or no room for more evidence."""

    def heard(self) -> list[str]:
        """Return what people have said since this was last asked."""

    def check(self) -> None:
        """Raise Stopped when somebody has stopped it. Called about once a second."""


@dataclass
class MemoryLedger:
    """Keeps nothing beyond the process: for a question from a shell, and for measurements."""

    bundle: EvidenceBundle
    pseudonyms: Pseudonyms
    steps: list[Step] = field(default_factory=list)
    calls: list[CallUsage] = field(default_factory=list)

    def open(self) -> None:
        """See `Ledger`."""

    def plan(self, text: str) -> None:
        """See `Ledger`."""

    def begin(self, steps: Sequence[Step]) -> None:
        """See `Ledger`."""
        self.steps += steps

    def end(self, step: Step, found: Found) -> Step:
        """See `Ledger`."""
        self.bundle, items = looked_up.added(self.bundle, found.items, self.pseudonyms)
        ended = finished(step, found, items, self.pseudonyms)
        self.steps[ended.number - 1] = ended
        return ended

    def spend(self, usage: CallUsage) -> None:
        """See `Ledger`."""
        self.calls.append(usage)

    def why_not(self) -> str:
        """See `Ledger`."""
        return ""

    def heard(self) -> list[str]:
        """See `Ledger`."""
        return []

    def check(self) -> None:
        """See `Ledger`."""


def finished(step: Step, found: Found, items: Sequence[Evidence], pseudonyms: Pseudonyms) -> Step:
    """Return a step with what it found; of a table that is too long the first rows, and a note that says so. Raises HidingFailed."""
    kept, size = [], 0
    for line in found.lines[:MOST_LINES]:
        size += len(line)
        if size > MOST_CHARACTERS:
            break
        kept.append(cover(line[:LONGEST_LINE], pseudonyms))
    left = len(found.lines) - len(kept)
    cut = (
        f"The first {len(kept):,} of {len(found.lines):,} lines are kept; a shorter window has the others."
        if left
        else ""
    )
    return replace(
        step,
        state=step.state if step.state != RUNNING else DONE,
        evidence=tuple(dict.fromkeys(item.id for item in items)),
        note=" ".join(part for part in (cover(found.note, pseudonyms), cut) if part),
        lines=tuple(kept),
    )


def repeated(call: Call, steps: Sequence[Step], *, end_minute: int) -> Step | None:
    """Return the step that has looked up the same already, or nearly; None when it is new. What failed may be tried again.

    `end_minute` is what a window without an end means.
    """
    values = call.values
    for step in steps:
        if step.tool == call.tool and step.state in (RUNNING, DONE, NOTHING) and alike(values, step.values, end_minute):
            return step
    return None


def alike(one: Mapping[str, Any], other: Mapping[str, Any], end_minute: int) -> bool:
    """Return whether two calls of a tool ask for nearly the same: the same names, nearly the same words, windows that mostly overlap."""
    times = {name for pair in _WINDOWS for name in pair}
    if any(_plain(one[name]) != _plain(other.get(name)) for name in one if name not in times and name not in _WORDS):
        return False
    if not all(_same_words(one[name], other.get(name)) for name in _WORDS if name in one):
        return False
    windows = [pair for pair in _WINDOWS if pair[0] in one]
    return all(
        _overlap(_minutes(one, pair, end_minute), _minutes(other, pair, end_minute)) >= SAME_WINDOW for pair in windows
    )


def _plain(value: object) -> object:
    return " ".join(value.split()).casefold() if isinstance(value, str) else value


def _same_words(one: str | None, other: str | None) -> bool:
    first, second = (set(re.findall(r"\w+", (text or "").casefold())) for text in (one, other))
    return first == second or (bool(first & second) and len(first & second) / len(first | second) >= SAME_WORDS)


def _minutes(values: Mapping[str, Any], pair: tuple[str, str], end_minute: int) -> tuple[int, int]:
    start, end = values.get(pair[0]), values.get(pair[1])
    begin = int(start) if start is not None else 0
    return begin, max(int(end) if end is not None else end_minute, begin + 1)


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    both = min(one[1], other[1]) - max(one[0], other[0])
    return max(both, 0) / (max(one[1], other[1]) - min(one[0], other[0]))
