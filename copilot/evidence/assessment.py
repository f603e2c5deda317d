"""How far an explanation may be trusted, pinned with its evidence: what was tried to refute it, the verdict, and what limits it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Result(StrEnum):
    """How an attempt to refute ended."""

    WITHSTOOD = "withstood"
    REFUTED = "refuted"
    OPEN = "open"  # what is known does not answer it


class Certainty(StrEnum):
    """What may be said of the leading suspect."""

    CONFIRMED = "confirmed"  # nothing that could speak against it does, and it recovered first
    LIKELY = "likely"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to refute the leading suspect: a question, how it ended, what was found, and the evidence ids that show it.

    `check` names the attempt for code: "order", "before", "dependencies", "worse", "reach", "change", "traffic", "recovery", "rival".
    """

    check: str
    question: str
    result: Result
    answer: str
    cites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cap:
    """The most confidence that may be stated, in [0, 1], and why."""

    at_most: float
    reason: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The verdict on the leading suspect, `service`; "" when there is none.

    `calibrated` is localization's chance that the fault is there, `confidence` what is left of it under the caps; both in [0, 1].
    `uncorrected` is localization's chance before the record of resolved incidents corrected it, None where that was not kept. `questions` are
    what is open, each as a question that somebody can answer.
    """

    service: str
    certainty: Certainty
    calibrated: float
    confidence: float
    because: str
    caps: tuple[Cap, ...]
    attempts: tuple[Attempt, ...]
    questions: tuple[str, ...]
    uncorrected: float | None = None

    def ended(self, result: Result) -> tuple[Attempt, ...]:
        """Return the attempts that ended so."""
        return tuple(attempt for attempt in self.attempts if attempt.result is result)


def from_json(data: Mapping[str, Any]) -> Assessment:
    """Return what was pinned. Raises KeyError, TypeError or ValueError when it is something else."""
    return Assessment(
        **{
            **data,
            "certainty": Certainty(data["certainty"]),
            "caps": tuple(Cap(**cap) for cap in data["caps"]),
            "attempts": tuple(
                Attempt(**{**one, "result": Result(one["result"]), "cites": tuple(one["cites"])})
                for one in data["attempts"]
            ),
            "questions": tuple(data["questions"]),
        }
    )
