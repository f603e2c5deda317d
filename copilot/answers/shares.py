"""Checks how many a claim says ("most", "all", "hardly any"), which of two is more, and what is the most of all."""

import re
from collections.abc import Sequence

from copilot.answers import atoms, facts, referents
from copilot.answers.facts import Of
from copilot.evidence.bundle import Evidence, EvidenceBundle

_THINGS = r"(?: of)?(?: (?:the|its|their|these|those|any))?(?: [\w/{}.-]+){0,4}? (?:(?!connections|services|signals|instances|replicas|workers|times|changes|others|seconds|minutes|hours|cores|components|items)[a-z]{2,}s|traffic|request|call|answer|attempt|[A-Z]{3,7} /\S+)\b"
_HOW_MANY = tuple(
    (re.compile(said + _THINGS, re.IGNORECASE), least, most)
    for said, least, most in (
        (r"\b(?:nearly|almost|virtually|practically) (?:all|every|each)\b", 0.85, 1.0),
        (
            r"(?<!nearly )(?<!almost )(?<!virtually )(?<!practically )(?<!not )\b(?:all|every|each|every single)\b",
            0.995,
            1.0,
        ),
        (r"\b(?:the )?(?:vast|overwhelming|large|great) (?:majority|part)\b", 0.7, 1.0),
        (
            r"(?<!at )(?<!the )\b(?:most(?! (?:likely|probable|recent|probably|often|important|of (?:its|the|their) time))|the majority|the bulk)\b",
            0.5,
            1.0,
        ),
        (
            r"\b(?:(?:only )?a few|very few|hardly any|a handful|a small (?:part|share|fraction)|a minority|few)\b",
            0.0,
            0.5,
        ),
        (r"\b(?:none|not one|not a single|no(?= (?:\w+ )?requests?\b))\b", 0.0, 0.005),
    )
)
_SHARE = re.compile(r"(\d+(?:\.\d+)?) % of (?!it\b)")
_MISS = re.compile(r"\bmiss", re.IGNORECASE)
_THESE = re.compile(r"\b(?:each|every|all|most) (?:one )?of (?:these|those)\b", re.IGNORECASE)
_OF_ITS_TIME = re.compile(
    r"\b(?:(?P<much>(?:nearly|almost|virtually|practically) all|most|the bulk|the majority)|(?P<little>hardly any(?:thing)?|almost none|little|a small part|a fraction|very little))"
    r" of (?:the|its|that|this)(?: \d+(?:\.\d+)? ?(?:µs|ms|s|min)| (?:\w+ )?(?:time|request|duration))\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"\b(?:before|previously|earlier|usually|normally)\b", re.IGNORECASE)
_MORE = re.compile(
    r"\b(?:more|higher|worse|larger|longer|bigger|greater|slower|harder|heavier|above|exceed(?:s|ed))(?: \w+){0,3}? than\b",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(?:less|lower|fewer|smaller|shorter|faster|quicker|better|milder)(?: \w+){0,3}? than\b", re.IGNORECASE
)
_USUAL = re.compile(
    r"^\s*(?:\w+ )?(?:before|usual\w*|normal\w*|previously|it|half|a |an |one |the \d|\d|its? )", re.IGNORECASE
)
_MOST = re.compile(
    r"\b(?:the|has the|had the|with the) (?P<what>highest|largest|greatest|slowest|longest|biggest|worst|most|lowest|fastest|smallest|least|hardest)\b(?! (?:likely|probable|possible|recent|time|point|moment|minute|case|part|of|\w+ requests?|requests?))",
    re.IGNORECASE,
)
_ALL_THINGS = re.compile(r"\b(?:all|every|each)(?: of)?(?: the| its)? (?P<thing>\w{4,})", re.IGNORECASE)
_LEAST_WORDS = frozenset(("lowest", "fastest", "smallest", "least"))


def contradiction(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return what the items say instead of how many, or of which is more; "" when they do not contradict."""
    return (
        _how_many(text, items, bundle)
        or _of_its_time(text, items)
        or _compared(text, items, bundle)
        or _superlative(text, items, bundle)
        or of_one(text, items)
    )


def doubt(text: str, items: Sequence[Evidence]) -> str:
    """Return why nobody can say that something is the most of all: the items show one thing only, or none of that kind."""
    match = _MOST.search(text)
    if match is None or re.search(rf"\b{match['what']}\b", " ".join(item.statement for item in items), re.IGNORECASE):
        return ""
    with_value = [item for item in items if _now(item) is not None]
    return "" if len(with_value) > 1 else f"{items[0].id} does not say that it is “{match.group().strip()}”."


def _how_many(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    for part in referents.clauses(text):
        for pattern, least, most in _HOW_MANY:
            if not pattern.search(part) or _THESE.search(part) or (not most > 0.005 and _BEFORE.search(part)):
                continue
            item = items[0] if len(items) == 1 else referents.about(part, items, bundle)
            shares = _shares(item, text) if item is not None else []
            if item is not None and shares and not any(least <= share <= most for share in shares):
                return f"{item.id} says how many: {item.statement}"
            break
    return ""


def _of_its_time(text: str, items: Sequence[Evidence]) -> str:
    """How much of an example's time, told as nearly all or as hardly any."""
    match = _OF_ITS_TIME.search(text)
    for item in items if match else ():
        share = item.statistic.get("share", {}).get("value")
        if match and isinstance(share, int | float) and (share < 0.5 if match["much"] else share > 0.5):
            return f"{item.id} says how much: {item.statement}"
    return ""


def _shares(item: Evidence, text: str) -> list[float]:
    """Return which shares of requests the item tells of the incident."""
    told = [float(share) / 100 for share in _SHARE.findall(item.statement)]
    now = _now(item)
    if now is not None and now.dimension == atoms.RATIO and ("share of" in item.title or "ratio" in item.title):
        turned = "hit" in item.title and bool(_MISS.search(text))
        told.append(1 - now.value if turned else now.value)
    return told


def _now(item: Evidence) -> atoms.Number | None:
    """Return the item's own value of the incident."""
    name = next((name for name in ("peak", "after") if name in item.statistic), "")
    found = atoms.statistic_numbers({name: item.statistic[name]}) if name else []
    return found[0] if found else None


def _compared(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    for pattern, sign in ((_MORE, 1), (_LESS, -1)):
        for match in pattern.finditer(text):
            left, right = referents.clauses(text[: match.start()])[-1:], referents.clauses(text[match.end() :])[:1]
            if not left or not right or _USUAL.match(right[0]):
                continue
            one, other = (referents.about(side[0], items, bundle) for side in (left, right))
            if one is None or other is None or one is other:
                continue
            if _more(one, other, sign) is False:
                return f"It was the other way round: {one.statement} {other.statement}"
    return ""


def _more(one: Evidence, other: Evidence, sign: int) -> bool | None:
    """Return whether the one is more than the other (less, for a sign of -1); None when they cannot be compared."""
    first, second = _now(one), _now(other)
    if first is None or second is None or first.dimension != second.dimension or first.value == second.value:
        return None
    return sign * (first.value - second.value) > 0


def _superlative(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    match = _MOST.search(text)
    item = referents.about(text, items, bundle) if match else None
    if match is None or item is None:
        return ""
    sign = -1 if match["what"].lower() in _LEAST_WORDS else 1
    for other in items:
        if other is not item and _more(item, other, sign) is False:
            return f"{other.id} is {'less' if sign < 0 else 'more'}: {other.statement}"
    return ""


def in_turn(text: str, figures: str, items: Sequence[Evidence], named: Sequence[str]) -> str:
    """Return whose a number is when services and then as many numbers are listed and the order differs: "a and b took 2 s and 3 s"."""
    numbers = [number for number in atoms.numbers(figures) if number.dimension not in (atoms.COUNT, atoms.FACTOR)]
    listed = r"\s*(?:,|and|, and|&)\s*".join(map(re.escape, named))
    if len(named) < 2 or len(named) != len(numbers) or not re.search(listed, text, re.IGNORECASE):
        return ""
    for service, number in zip(named, numbers, strict=True):
        holders = [
            item
            for item in items
            if any(number.agrees_with(value.number) for value in facts.values(item) if value.of is not Of.THEN)
        ]
        if holders and all(item.service != service and service not in item.statement for item in holders):
            return f"{number.said} is not {service}'s: {holders[0].statement}"
    return ""


def of_one(text: str, items: Sequence[Evidence]) -> str:
    """Return what the items say of one, told of all: "restart all instances" for "restart one instance"."""
    for match in _ALL_THINGS.finditer(text):
        for item in items:
            told = re.search(
                rf"\b(?:one|a single|only one) {re.escape(match['thing'].removesuffix('s'))}\w*",
                " ".join((item.statement, *item.excerpt)),
                re.IGNORECASE,
            )
            if told:
                return f"{item.id} says “{told.group()}”."
    return ""
