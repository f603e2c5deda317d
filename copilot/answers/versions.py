"""Checks from which version to which a claim says that a service changed."""

import re
from collections.abc import Sequence

from copilot.answers import atoms
from copilot.answers.naming import services_in
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind

_CHANGED = re.compile(r"\bchanged from (?:version )?(?P<before>\S+) to (?P<after>\S+)")
_OLD = re.compile(
    r"\b(?:from|before(?: that)?(?! the\b| it\b| this\b)|previous(?:ly)?|old|former(?:ly)?|used to|replac(?:es|ed|ing)|instead of|until|earlier)\b",
    re.IGNORECASE,
)
_NEW = re.compile(r"\b(?:to|new|now|currently|since|into|introduc\w+|with|is)\b", re.IGNORECASE)
_BACK = re.compile(r"\b(?:downgrad\w+|roll(?:ed|ing|s)? back|rolled-back|rollback|revert\w*)\b", re.IGNORECASE)
_FORTH = re.compile(r"\b(?:upgrad\w+|bump\w*)\b", re.IGNORECASE)
_SEPARATOR = re.compile(r"[,;:(]\s?|\band\b")


def contradiction(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return what changed to what when the text tells the old version as the new one, or an upgrade as its opposite; "" otherwise."""
    for item in items if any(item.kind is Kind.CHANGE for item in items) else ():
        told = _CHANGED.search(item.statement) if item.kind is Kind.CHANGE else None
        if told is None:
            continue
        before, after = (told[name].lower().removeprefix("v").rstrip(",.;") for name in ("before", "after"))
        upwards = _parts(after) > _parts(before)
        wrong_way = (_BACK if upwards else _FORTH).search(text) and any(
            v in (before, after) for v in atoms.versions(text)
        )
        if (other := _of_another(text, item, bundle)) and other != item.service:
            return f"{item.id} is a change of {item.service}, not of {other}: {item.statement}"
        if wrong_way or _turned(text, before, after):
            return f"{item.id} says it the other way round: {item.statement}"
    return ""


def _of_another(text: str, item: Evidence, bundle: EvidenceBundle) -> str:
    """Return of whom the text tells the version where it says "it": the service that it names before, unless it names the item's own."""
    match = atoms.VERSION.search(text)
    named = services_in(text[: match.start()], bundle) if match else []
    return named[0] if len(named) == 1 and item.service not in services_in(text, bundle) else ""


def _turned(text: str, before: str, after: str) -> bool:
    end = 0
    for match in atoms.VERSION.finditer(text):
        version, lead = match.group().lower().removeprefix("v"), _SEPARATOR.split(text[end : match.start()])[-1]
        old, new = (max((found.end() for found in pattern.finditer(lead)), default=-1) for pattern in (_OLD, _NEW))
        end = match.end()
        if (version == before and new > old) or (version == after and old > new):
            return True
    return False


def _parts(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]
