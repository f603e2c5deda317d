"""Checks a claim against the evidence that it cites. Code decides, never the model: supported, unverified or struck, with the reason."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from copilot.answers import atoms, causality, citations
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.evidence.bundle import Evidence, EvidenceBundle
from copilot.evidence.wording import joined

LEAST_SHARED_WORDS = 0.4  # of a claim's own words, how many its evidence must use
_WORD = re.compile(r"[^\W\d_]{3,}")
# Words that carry no finding.
_STOP = re.compile(
    r"the|and|for|with|that|this|from|was|were|has|had|have|been|are|its|which|while|when|also|into|than|then|they|there|their|but|not|all|any"
    # How a thing is said rather than what.
    r"|worst|best|slowest|took|takes|taken|spends?|spent|instead|long|longer|percentile|median|peak\w*|reached|usual\w*|than|once|twice|two|three|four"
    r"|about|around|nearly|almost|says?|said|advises?|according|first|last|each|both|too|only|now|still|began|came|means"
    r"|answers?|answered|responds?|within"
    r"|did|does|may|can|could|would|should|will|after|before|during|since|over|under|about|because|due|between|most|more|less"
)
# Words that name the same kind of signal.
_SUBJECTS = {
    "response time": re.compile(
        r"response time|own time|latenc|duration|slow|faster|p50|p9\d|median|self time", re.IGNORECASE
    ),
    "errors": re.compile(r"error|fail|5xx|exception", re.IGNORECASE),
    "traffic": re.compile(r"requests? per s|traffic|throughput|request rate|requests/s", re.IGNORECASE),
    "cpu": re.compile(r"\bcpu", re.IGNORECASE),
    "memory": re.compile(r"memory|heap|\brss\b", re.IGNORECASE),
    "connections": re.compile(r"connection|\bpool", re.IGNORECASE),
    "cache": re.compile(r"\bcache|hit ratio", re.IGNORECASE),
    "log lines": re.compile(r"\blog(?:s|ged|ging)?\b|\blines?\b", re.IGNORECASE),
}
_UP = re.compile(
    r"\b(?:rose|risen|rises?|rising|increas\w+|climb\w*|grew|grow\w*|jump\w*|spik\w+|surg\w+|higher|slower|slowed|doubled|tripled)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:dropp?\w*|fell|fall\w*|decreas\w+|declin\w+|lower\w*|faster|reduc\w+|shr[aiu]nk\w*)\b", re.IGNORECASE
)
_BEGINS = re.compile(r"\b(?:incident|outage|began|begun|started?|since|onset)\b", re.IGNORECASE)
_ENDS = re.compile(r"\b(?:ended|over|until|covers?|lasted)\b", re.IGNORECASE)
# What follows is given as the reason, or as somebody's words: it must itself be in the evidence.
_GIVEN = re.compile(
    r"\b(?:because|since|due to|as a result of|owing to|(?:says?|advises?|recommends?|suggests?|tells?)(?: (?:us|you|one))? to)\b(?P<rest>[^,;.]{8,})",
    re.IGNORECASE,
)
LEAST_SHARED_OF_GIVEN = 0.5
# "All its connections": an item that only counts does not say out of how many.
_ALL = re.compile(r"\b(?:all|every one) (?:of )?(?:its|the|their)\b", re.IGNORECASE)
_TELLS_ALL = re.compile(r"\b(?:all|every|each|only|limit|full|none|never)\b|\b100 ?%|\b(\d+) of \1\b", re.IGNORECASE)
_CLEARED = re.compile(r"\bruled out\b|\bnot the cause\b|\b(?:what it shows is )?explained by\b", re.IGNORECASE)
# After a service's name: "database connections" are somebody else's connections to it.
_OF_ANOTHER = r"(?!\s(?:connections?|pools?|quer(?:y|ies)|calls?|clients?|limits?)\b)"
_SAME = re.compile(r"\b(?:stayed|unchanged|as before|constant|stable|steady|normal)\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Cited:
    """The cited items with what can be read off them."""

    items: Sequence[Evidence]
    bundle: EvidenceBundle

    @cached_property
    def text(self) -> str:
        return " ".join(_words_of(item) for item in self.items)

    @cached_property
    def folded(self) -> str:
        return _fold(self.text)

    @cached_property
    def numbers(self) -> list[atoms.Number]:
        return [number for item in self.items for number in _numbers_of(item)]

    def times_for(self, text: str) -> list[atoms.Clock]:
        """Return the times that the claim may name: those of the items, and the incident's own where it speaks of these."""
        own = [
            f"{moment:%H:%M:%S}"
            for moment, words in ((self.bundle.incident_start, _BEGINS), (self.bundle.incident_end, _ENDS))
            if words.search(text)
        ]
        return atoms.clocks(" ".join((self.text, *own)))

    @property
    def ids(self) -> str:
        return joined([item.id for item in self.items])

    @property
    def do_not_say(self) -> str:
        return f"{self.ids} {'does' if len(self.items) == 1 else 'do'} not say"

    def holds(self, quote: str) -> bool:
        """Return whether the quotation stands there; one with gaps must fit into a single statement or line of an item."""
        folded = _fold(quote).strip(" .,…")
        if folded in self.folded:
            return True
        parts = atoms.fixed_parts(folded)
        return bool(parts) and any(
            _in_order(parts, _fold(line)) for item in self.items for line in (item.title, item.statement, *item.excerpt)
        )


def check(claim_text: str, cites: Iterable[str], bundle: EvidenceBundle) -> CheckedClaim:
    """Return the claim with its verdict.

    Struck: it contradicts what it cites (another number for the same thing, the opposite direction, a service that was ruled out called the
    cause). Unverified: a number, time, service, version or quotation in it is not in the cited items, or it cites nothing that exists.
    """
    text, ids = citations.split(claim_text, cites)
    items, missing = citations.known(ids, bundle)
    shown = tuple(item.id for item in items)

    def said(verdict: Verdict, reason: str = "") -> CheckedClaim:
        return CheckedClaim(text, shown, verdict, reason)

    cited = _Cited(items, bundle)
    contradiction = causality.contradiction(text, bundle) or (items and _contradicted(text, cited)) or ""
    if contradiction:
        return said(Verdict.STRUCK, contradiction)
    if missing:
        return said(Verdict.UNVERIFIED, f"There is no evidence {' or '.join(missing)}.")
    if not items:
        return said(Verdict.UNVERIFIED, "It cites no evidence.")
    doubt = _unfound(text, cited) or causality.doubt(text, items, bundle) or _unrelated(text, cited)
    return said(Verdict.UNVERIFIED, doubt) if doubt else said(Verdict.SUPPORTED)


def _unfound(text: str, cited: _Cited) -> str:
    """Return the first thing in the claim that the cited items do not hold, as a sentence; "" when all is there."""
    missing = [
        *(f"{cited.do_not_say} “{quote}”." for quote in atoms.quotes(text) if not cited.holds(quote)),
        *(
            f"Version {version} is not in {cited.ids}."
            for version in atoms.versions(text)
            if not any(f"{there}.".startswith(f"{version}.") for there in atoms.versions(cited.text))
        ),
        *(
            f"The time {clock.said} is not in {cited.ids}."
            for clock in atoms.clocks(text)
            if not any(clock.agrees_with(time) for time in cited.times_for(text))
        ),
        *(
            f"{cited.do_not_say} anything about {service}."
            for service in services_in(text, cited.bundle)
            if not _names(cited.text, service) and not _cleared(service, text, cited)
        ),
        *(f"{cited.do_not_say} “{said}”." for said in _ALL.findall(text) if not _TELLS_ALL.search(cited.text)),
        *(f"{name} is not in {cited.ids}." for name in atoms.identifiers(text) if not _whole(name, cited.folded)),
        *(
            f"{number.said} is not in {cited.ids}{_elsewhere(number, cited)}."
            for number in _stated(text, cited.bundle)
            if not _has(number, cited)
        ),
    ]
    return missing[0] if missing else ""


def _contradicted(text: str, cited: _Cited) -> str:
    """Return what the cited items say instead, "" when they contradict nothing."""
    for item in cited.items:
        direction, claimed = _direction(item), _way(text)
        opposite = claimed and direction and claimed != direction
        if opposite and len(cited.items) == 1 and _same_subject(text, item):
            return f"{item.id} says the opposite: {item.statement}"
    for number in _stated(text, cited.bundle):
        if number.dimension in (atoms.COUNT, atoms.FACTOR) or _has(number, cited) or _elsewhere(number, cited):
            continue
        for item in cited.items:
            same = [n for n in _numbers_of(item) if n.dimension == number.dimension]
            if same and _same_subject(text, item):
                return f"{item.id} does not say {number.said}: {item.statement}"
    return ""


def _unrelated(text: str, cited: _Cited) -> str:
    """Return why the claim seems to be about something else: too few of its words are in what it cites."""
    own = {word for word in map(str.lower, _WORD.findall(_CLEARED.sub(" ", text))) if not _STOP.fullmatch(word)}
    there = {_stem(word) for word in map(str.lower, _WORD.findall(cited.text + " " + causality.VOCABULARY))}
    if not own:
        return "There is nothing in it to check."
    if _share(own, there) < LEAST_SHARED_WORDS:
        return f"Too little of it is in {cited.ids}."
    for given in _GIVEN.finditer(atoms.QUOTE.sub(" ", _CLEARED.sub(" ", text))):
        words = {word for word in map(str.lower, _WORD.findall(given["rest"])) if not _STOP.fullmatch(word)}
        if words and _share(words, there) <= LEAST_SHARED_OF_GIVEN:
            return f"{cited.do_not_say} “{given['rest'].strip()}”."
    return ""


def _share(words: Collection[str], there: Collection[str]) -> float:
    """Return how many of the words are there, of all, whatever their ending."""
    return sum(_stem(word) in there for word in words) / len(words)


def _cleared(service: str, text: str, cited: _Cited) -> bool:
    """Return whether the claim says of a service what its verdict says: that it was ruled out, with evidence that the verdict gives."""
    ids = {item.id for item in cited.items}
    return bool(_CLEARED.search(text)) and any(
        h.service == service and h.verdict == "ruled out" and (not h.opposing or ids & set(h.opposing))
        for h in cited.bundle.hypotheses
    )


def services_in(text: str, bundle: EvidenceBundle) -> list[str]:
    """Return the incident's services that the text names, longest names first."""
    found, rest = [], text
    for name in sorted(all_services(bundle), key=lambda name: (-len(name), name)):
        if _names(rest, name):
            found.append(name)
            rest = _name(name).sub(" ", rest)
    return found


def all_services(bundle: EvidenceBundle) -> set[str]:
    """Return every service that the bundle knows."""
    ends = {end for edge in bundle.edges for end in edge}
    return {
        *bundle.services,
        *ends,
        *(item.service for item in bundle.items),
        *(h.service for h in bundle.hypotheses),
    } - {""}


def _stated(text: str, bundle: EvidenceBundle) -> list[atoms.Number]:
    """Return the claim's numbers, without those in evidence ids, service names, quotations and the incident's date."""
    text = citations.EVIDENCE_ID.sub(" ", atoms.QUOTE.sub(" ", text))
    for service in services_in(text, bundle):
        text = _name(service).sub(" ", text)
    day = bundle.incident_start
    for date in (f"{day:%Y-%m-%d}", f"{day:%d %B %Y}", f"{day.day} {day:%B %Y}", f"{day.day} {day:%B}"):
        text = text.replace(date, " ")
    return atoms.numbers(text)


def _has(number: atoms.Number, cited: _Cited) -> bool:
    return any(number.agrees_with(other) for other in cited.numbers)


def _elsewhere(number: atoms.Number, cited: _Cited) -> str:
    for item in cited.bundle.items:
        if item not in cited.items and any(number.agrees_with(other) for other in _numbers_of(item)):
            return f" (but in {item.id}, which it does not cite)"
    return ""


def _numbers_of(item: Evidence) -> list[atoms.Number]:
    return [*atoms.numbers(_words_of(item)), *atoms.statistic_numbers(item.statistic)]


def _words_of(item: Evidence) -> str:
    return " ".join((item.service, item.title, item.statement, *item.excerpt))


def _way(text: str) -> str:
    ways = {way for way, pattern in (("up", _UP), ("down", _DOWN), ("same", _SAME)) if pattern.search(text)}
    return ways.pop() if len(ways) == 1 else ""


def _direction(item: Evidence) -> str:
    before, after = (item.statistic.get(name, {}).get("value") for name in ("before", "after"))
    if isinstance(before, int | float) and isinstance(after, int | float):
        # What people call unchanged is what the statement calls so; a hair's breadth is no direction.
        return (
            "same"
            if _SAME.search(item.statement)
            else ("up" if after > before else "down" if after < before else "same")
        )
    return _way(item.statement)


def _same_subject(text: str, item: Evidence) -> bool:
    """Return whether claim and item speak of the same kind of signal, and of no two different services."""
    return bool(_subjects(text) & _subjects(_words_of(item)))


def _subjects(text: str) -> set[str]:
    return {name for name, pattern in _SUBJECTS.items() if pattern.search(text)}


def _names(text: str, service: str) -> bool:
    return bool(_name(service).search(text))


def _name(service: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(service)}(?![\w-]){_OF_ANOTHER}", re.IGNORECASE)


def _whole(name: str, folded: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", folded))


def _fold(text: str) -> str:
    return re.sub(r"\s+", " ", text).casefold()


def _in_order(parts: Sequence[str], line: str) -> bool:
    """Return whether the parts stand in the line one after the other, with anything between them."""
    at = 0
    for part in parts:
        found = line.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _stem(word: str) -> str:
    return word[:5]
