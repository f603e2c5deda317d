"""What an answer's investigation looked at, as the page shows it: turn by turn, with what people said meanwhile."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby

from copilot.answers.investigation.describe import described
from copilot.models import InvestigationStep, Message

_MARKS = {
    InvestigationStep.State.RUNNING: "more",
    InvestigationStep.State.DONE: "check",
    InvestigationStep.State.NOTHING: "question",
    InvestigationStep.State.REFUSED: "cross",
    InvestigationStep.State.FAILED: "warn",
}


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One call. `mark` is the icon's name; `reason` says why nothing came of it."""

    number: int
    said: str
    state: str
    word: str
    mark: str
    reason: str
    cites: tuple[str, ...]
    seconds: str


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """Calls that ran at the same time. `plan` is what the model said it wants to find out, unchecked."""

    number: int
    plan: str
    steps: tuple[ShownStep, ...]


@dataclass(frozen=True, slots=True)
class ShownSteps:
    """All of an answer's. `said` are what people said while it was written: (who, what), "" for a stop."""

    turns: tuple[ShownTurn, ...]
    said: tuple[tuple[str, str], ...]

    @property
    def summary(self) -> str:
        """Return how much was looked at, in words."""
        steps = [step for turn in self.turns for step in turn.steps]
        words = [
            f"{len(steps)} thing{'s' * (len(steps) != 1)}",
            f"{len(self.turns)} turn{'s' * (len(self.turns) != 1)}",
        ]
        refused = sum(step.state == InvestigationStep.State.REFUSED for step in steps)
        return " in ".join(words) + (f", {refused} refused" if refused else "")


def steps_of(message: Message, *, known: Collection[str]) -> ShownSteps:
    """Return an answer's steps. Reads `steps` and `steerings` with their authors: who shows many messages prefetches both."""
    rows = sorted(message.steps.all(), key=lambda row: row.number)
    turns = [
        ShownTurn(number, next((row.plan for row in group if row.plan), ""), tuple(_shown(row, known) for row in group))
        for number, group in ((number, list(rows)) for number, rows in groupby(rows, key=lambda row: row.turn))
    ]
    said = [(one.author.get_username() if one.author else "Somebody", one.text) for one in message.steerings.all()]
    return ShownSteps(tuple(turns), tuple(said))


def _shown(row: InvestigationStep, known: Collection[str]) -> ShownStep:
    state = InvestigationStep.State(row.state)
    return ShownStep(
        number=row.number,
        said=described(row.tool, row.arguments),
        state=row.state,
        word=state.label,
        mark=_MARKS[state],
        reason=row.reason,
        cites=tuple(cite for cite in row.evidence if cite in known),
        seconds=f"{row.seconds:.1f} s" if row.seconds >= 0.1 else "",
    )
