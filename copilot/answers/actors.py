"""Checks who does what to whom: who did not answer, who refuses, who waits, who holds a lock."""

import re
from collections.abc import Iterable, Sequence

from copilot.answers.lexicon import stem
from copilot.evidence.bundle import Evidence, Kind

_WHO = r"(?P<who>(?:process|worker|thread|node|pod|pid|replica|shard) #?\d+|[A-Za-z][\w-]*\w)"
_BETWEEN = r"(?:['’]s?)?(?::\d+)?\s+(?:(?:did|does|do|has|have|had|is|are|was|were|not|never|been|also|no longer|longer|simply|just|only|still)\s+){0,3}"
_VERBS = ("answer", "respond", "repl(?:y|i)", "refus", "reject", "wait", "h[eo]ld", "block", "overload", "evict", "call", "restart", "time[ds]? out", "log(?:ged|s)\\b|stopped log|log")  # fmt: skip
_ACTIVE, _PASSIVE = (
    {verb: re.compile(pattern.replace("VERB", f"(?:{verb})"), re.IGNORECASE) for verb in _VERBS}
    for pattern in (rf"\b{_WHO}{_BETWEEN}VERB\w*", rf"\bVERB\w*(?: \w+){{0,2}}? (?:by|from) (?:the )?{_WHO}")
)
_FROM = re.compile(r"\b(?P<what>[A-Za-z]{3,}) (?P<how>from|to|for) (?:the )?(?P<who>[A-Za-z][\w-]*\w)", re.IGNORECASE)
_LEAVES = re.compile(r"\b([\w-]+) (?:leaves?|left|keeps?|kept|lets?) ([\w-]+) (?:waiting|hanging)", re.IGNORECASE)
_ANY = re.compile("|".join(_VERBS), re.IGNORECASE)
_NUMBERED = re.compile(r"\b(?:process|worker|thread|node|pod|pid|replica|shard) #?\d+\b", re.IGNORECASE)
_HYPHENED = re.compile(r"\b[a-z]\w+(?:-[a-z0-9]\w*)+\b", re.IGNORECASE)


def contradiction(text: str, items: Sequence[Evidence], names: Iterable[str]) -> str:
    """Return who does it according to the items when the text says that somebody else does, "" otherwise."""
    services = {name.lower() for name in names}
    text = _LEAVES.sub(r"\1 did not answer \2", text)
    return _from_another(text, items, services) or _by_another(text, items, services)


def _from_another(text: str, items: Sequence[Evidence], services: set[str]) -> str:
    """Return from whom or to whom it is, when the text names somebody else there: "read from a" for "read from b"."""
    for match in _FROM.finditer(text):
        for item in items if match["who"].lower() in services else ():
            for words in (item.statement, *item.excerpt):
                told = [other for other in _FROM.finditer(words) if other["how"].lower() == match["how"].lower()]
                same = [other["who"].lower() for other in told if stem(other["what"]) == stem(match["what"])]
                known = [who for who in same if who in services or "-" in who]
                if known and match["who"].lower() not in known:
                    return f"In {item.id} it is {match['how']} {known[0]}: {item.statement}"
    return ""


def _by_another(text: str, items: Sequence[Evidence], services: set[str]) -> str:
    if not _ANY.search(text):
        return ""
    known = services | {match.lower() for pattern in (_NUMBERED, _HYPHENED) for match in pattern.findall(text)}
    for verb in _VERBS:
        claimed = _agent(text, verb, known)
        if claimed and "log" in verb:
            if claimed in services and (said := _logged_by_another(claimed, items)):
                return said
            continue
        for item in items if claimed else ():
            for words in (item.statement, *item.excerpt):
                told = _agent(words, verb, known)
                if told and told != claimed:
                    return f"In {item.id} it is {told}, not {claimed}: {item.statement}"
    return ""


def _logged_by_another(service: str, items: Sequence[Evidence]) -> str:
    logs = [item for item in items if item.kind is Kind.LOG and item.service]
    if (
        not any(service in item.statement.lower() for item in logs)
        or any(item.service.lower() == service for item in logs)
        or len(logs) < len(items)
    ):
        return ""
    return f"{logs[0].id} is logged by {logs[0].service}: {logs[0].statement}"


def _agent(text: str, verb: str, known: set[str]) -> str:
    """Return who does it: before the verb, or after "by" or "from" behind it; "" when nobody of those known does."""
    for pattern in (_PASSIVE[verb], _ACTIVE[verb]):
        for match in pattern.finditer(text):
            if match["who"].lower() in known:
                return match["who"].lower()
    return ""
