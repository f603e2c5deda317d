"""Proposes a change to the runbook that was used, where a step did not help, made it worse, or was missing."""

import re
from collections.abc import Sequence

from incidents.models import Lesson

ALIKE = 0.6  # of the words of the shorter text
_STEP = re.compile(r"^(\s{0,3})(\d+)([.)])\s+(.*)$")
_DO_NOT = re.compile(r"^##\s+do not\s*$", re.IGNORECASE)
_SMALL = frozenset({"the", "a", "an", "to", "of", "and", "in", "it", "on", "at", "all"})


def changed(markdown: str, *, lessons: Sequence[Lesson], reference: str) -> str:
    """Return the runbook's text with what an incident taught written in: a note under the step it is about, a step that was missing, a warning.

    The same when it taught nothing about it, or when the text says it already.
    """
    lines = markdown.split("\n")
    for lesson in lessons:
        note = f"{lesson.get_kind_display()} in {reference} on {lesson.told_at:%-d %B %Y}"
        if any(note in line and _alike(line, lesson.text) for line in lines):
            continue
        place = next(
            (n for n, line in enumerate(lines) if (step := _STEP.match(line)) and _alike(step[4], lesson.text)), None
        )
        if lesson.kind == Lesson.Kind.FIXED:
            lines = _with_step(lines, f"{lesson.text}. {note}.") if place is None else lines
        elif lesson.kind in (Lesson.Kind.WORSE, Lesson.Kind.NO_HELP) and place is not None:
            lines = [*lines[: place + 1], f"   - {note}: {lesson.text}.", *lines[place + 1 :]]
        elif lesson.kind == Lesson.Kind.WORSE:
            lines = _with_warning(lines, f"- {lesson.text}. {note}.")
    return "\n".join(lines)


def _with_step(lines: list[str], text: str) -> list[str]:
    """Return the lines with one more step after the last, or with a section of steps at the end when there is none."""
    steps = [(n, step) for n, line in enumerate(lines) if (step := _STEP.match(line))]
    if not steps:
        return [*lines, "", "## Steps", "", f"1. {text}", ""]
    place, last = steps[-1]
    after = place + 1
    while after < len(lines) and lines[after].startswith("   "):  # what belongs to the last step
        after += 1
    return [*lines[:after], f"{last[1]}{int(last[2]) + 1}{last[3]} {text}", *lines[after:]]


def _with_warning(lines: list[str], text: str) -> list[str]:
    place = next((n for n, line in enumerate(lines) if _DO_NOT.match(line)), None)
    if place is None:
        return [*lines, "", "## Do not", "", text, ""]
    return [*lines[: place + 1], "", text, *lines[place + 1 :]]


def _alike(one: str, other: str) -> bool:
    first, second = _words(one), _words(other)
    shorter = min(len(first), len(second))
    return shorter > 0 and len(first & second) / shorter >= ALIKE


def _words(text: str) -> set[str]:
    # "Restarted" and "restart" are the same word here.
    found = re.findall(r"[a-z0-9.]{2,}", text.lower())
    return {re.sub(r"(?:ed|ing|s)$", "", word.strip(".")) for word in found if word not in _SMALL}
