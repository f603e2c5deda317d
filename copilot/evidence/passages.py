"""Passage evidence: what a runbook says to do."""

import re

from copilot.evidence.bundle import Evidence, Kind, Role
from incidents.telemetry.datamodel import Window
from runbooks.passages import Passage

EXCERPT_LENGTH = 2_000  # as long as a section of steps may be: the last steps matter too
_STEP = re.compile(r"^\s{0,3}\d+[.)]\s+(.*(?:\n(?!\s{0,3}\d+[.)]\s)\s{2,}\S.*)*)", re.MULTILINE)


def from_passage(passage: Passage, *, window: Window, backend: str) -> Evidence:
    """Return the item that shows a passage of an approved runbook."""
    section = passage.heading.removeprefix(passage.title).removeprefix(" › ")
    place = f", “{section}”" if section else ""
    return Evidence(
        id="",
        kind=Kind.PASSAGE,
        role=Role.REMEDY,
        service="",
        title=f"Runbook: {passage.title}{place}",
        statement=f"The runbook “{passage.title}”{place} (revision {passage.revision_number}) fits these signals.",
        start=window.start,
        end=window.end,
        excerpt=(passage.text[:EXCERPT_LENGTH],),
        query="runbook search",
        backend=backend,
        detail=place_of(passage),
    )


def place_of(passage: Passage) -> dict[str, object]:
    """Return where a passage stands and what it says: the detail of the item that shows it."""
    return {
        "slug": passage.slug,
        "kind": passage.kind,
        "title": passage.title,
        "heading": passage.heading,
        "text": passage.text,
        "revision": passage.revision_number,
        "position": passage.position,
    }


def steps(text: str) -> list[str]:
    """Return the numbered steps of a passage, each on one line, without the marks of Markdown."""
    return [" ".join(match.group(1).replace("`", "").replace("**", "").split()) for match in _STEP.finditer(text)]
