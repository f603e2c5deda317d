"""Evidence ids in an answer: which exist, and those that a sentence carries in its own text."""

import re
from collections.abc import Iterable

from copilot.evidence.bundle import Evidence, EvidenceBundle

EVIDENCE_ID = re.compile(r"\bE\d{1,3}\b")
# "[E1, E2]", "(E3)", "(see E1 and E4)": a citation written into the sentence.
_BRACKETED = re.compile(r"\s*[\[(](?:see |cf\. )?E\d{1,3}(?:(?:,| and|, and|;|–|-)? ?E\d{1,3})*[\])]")
# "E3: payments …": a label copied from the list of evidence.
_LABEL = re.compile(r"^\s*(E\d{1,3})\s*(?::|-|–)\s+")


def split(text: str, cites: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Return the sentence without citations in brackets, and all ids that it cites, once each in order of appearance."""
    found = [*cites, *(id_ for bracket in _BRACKETED.findall(text) for id_ in EVIDENCE_ID.findall(bracket))]
    text = _BRACKETED.sub("", text).strip()
    if label := _LABEL.match(text):
        found.append(label[1])
        text = text[label.end() :]
    return text, tuple(dict.fromkeys(found))


def known(cites: Iterable[str], bundle: EvidenceBundle) -> tuple[list[Evidence], list[str]]:
    """Return the items that exist, and the ids that do not."""
    items, missing = [], []
    for id_ in cites:
        item = bundle.get(id_)
        if item is None:
            missing.append(id_)
        else:
            items.append(item)
    return items, missing
