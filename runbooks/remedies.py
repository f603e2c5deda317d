"""The part of a runbook that says what to do. A search finds what a symptom is described by; who is on call needs the steps."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

from runbooks.models import Chunk, Revision
from runbooks.passages import Passage, SearchResult

MOST_CHARACTERS = 2_000  # of the steps; a longer section is cut between passages
LEAST_STEPS = 2  # that are numbered make a section of steps, whatever its heading
_SAYS_WHAT_TO_DO = re.compile(
    r"\b(?:steps?|mitigat\w*|remed\w*|resolv\w*|resolution|fix\w*|repair\w*|recover\w*|respon[sd]\w*|actions?|what to do|procedure|solution|workaround)\b",
    re.IGNORECASE,
)
_SAYS_SOMETHING_ELSE = re.compile(
    r"\b(?:not|don.t|never|when|before|after|escalat\w*|confirm\w*|verif\w*|diagnos\w*|symptoms?|background|post-?incident)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^\s{0,3}\d+[.)]\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Section:
    """A heading, without the document's title, and the text below it; `chunk_id` and `position` are its first passage's."""

    chunk_id: int
    position: int
    heading: str
    path: str
    text: str


def with_remedies(found: SearchResult) -> SearchResult:
    """Return, for each document found, the section that says what to do, and after the first document's what was found of it.

    The order of the documents stays. A document without such a section is shown by what was found of it.
    """
    first_of: dict[str, Passage] = {}
    for passage in found.passages:
        first_of.setdefault(passage.slug, passage)
    shown: list[Passage] = []
    for passage in first_of.values():
        remedy = remedy_of(passage)
        if remedy is not None:
            shown.append(remedy)
        if remedy is None or (passage is found.passages[0] and passage.heading != remedy.heading):
            shown.append(passage)
    return replace(found, passages=tuple(shown))


def remedy_of(passage: Passage) -> Passage | None:
    """Return the section of the passage's own revision that says what to do, None when it has none or is approved no longer.

    The first section counts whose heading says so ("Steps", "Mitigation", "Resolution"); without one, the first that has numbered steps.
    """
    rows = (
        Chunk.objects.filter(revision__chunks=passage.chunk_id, revision__state=Revision.State.APPROVED)
        .order_by("position")
        .values_list("pk", "position", "heading", "text")
    )
    sections = list(_sections(rows))
    chosen = next((s for s in sections if _is_remedy(s)), None) or next(
        (s for s in sections if len(_NUMBERED.findall(s.text)) >= LEAST_STEPS), None
    )
    if chosen is None:
        return None
    return replace(
        passage, chunk_id=chosen.chunk_id, position=chosen.position, heading=chosen.heading, text=chosen.text
    )


def _sections(rows: Iterable[tuple[int, int, str, str]]) -> Iterable[_Section]:
    for heading, group in groupby(rows, key=itemgetter(2)):
        chunks = list(group)
        text = ""
        for _, _, _, part in chunks:
            if text and len(text) + len(part) > MOST_CHARACTERS:
                break
            text = f"{text}\n{part}" if text else part
        yield _Section(chunks[0][0], chunks[0][1], heading, heading.partition(" › ")[2], text)


def _is_remedy(section: _Section) -> bool:
    return bool(_SAYS_WHAT_TO_DO.search(section.path)) and not _SAYS_SOMETHING_ELSE.search(section.path)
