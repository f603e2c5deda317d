"""Checks a claim against the evidence that it cites. Code decides, never the model: supported, unverified or struck, with the reason."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from copilot.answers import atoms, causality, citations, relations
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.answers.naming import name as _name
from copilot.answers.naming import names as _names
from copilot.answers.naming import services_in
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind
from copilot.evidence.wording import joined, percent

LEAST_SHARED_WORDS = 0.4  # of a claim's own words, how many its evidence must use
_BRACKETS = re.compile(r"‹(?!\w+-\d+›)([^‹›]*)›")  # not those of a token such as ‹email-1›
_WORD = re.compile(r"[^\W\d_]{3,}")
# Words that carry no finding.
_STOP = re.compile(
    r"the|and|for|with|that|this|from|was|were|has|had|have|been|are|its|which|while|when|also|into|than|then|they|there|their|but|not|all|any"
    # How a thing is said rather than what.
    r"|worst|best|slowest|took|takes|taken|spends?|spent|instead|long|longer|percentile|median|peak\w*|reached|usual\w*|than|once|twice|two|three|four"
    r"|about|around|nearly|almost|says?|said|advises?|according|first|last|each|both|too|only|now|still|began|came|means"
    r"|answers?|answered|responds?|within|became|roughly|approximately|slightly|below|above|earlier|previously|normal|ceiling|bound|upper|so"
    r"|five|six|seven|eight|nine|ten|hundred|half|third|quarter|per|times|seconds?|minutes?|hours?|far|hit|went|get|got|where|none|total|across"
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
_MUST_BE_THERE = {"errors", "traffic", "cpu", "memory"}  # what a claim speaks of only when its evidence does
_UP = re.compile(
    r"\b(?:rose|risen|rises?|rising|increas\w+|climb\w*|grew|grow\w*|jump\w*|spik\w+|surg\w+|higher|slower|slowed|doubled|tripled|quadrupled|worsened|more often|up from)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:dropp?\w*|fell|fall\w*|decreas\w+|declin\w+|lower\w*|faster|reduc\w+|shr[aiu]nk\w*|collaps\w+|halved|less often|down from)\b",
    re.IGNORECASE,
)
_UNMOVED = re.compile(
    r"\b(?:not|no|never|without|neither|nor) (?:\w+ )?(?:rise|increase\w*|climb|grow\w*|jump\w*|spik\w+|surge\w*|higher|slower|drop|fall|decreas\w+|lower|faster)\b|\bceiling\b",
    re.IGNORECASE,
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
_EVERY = re.compile(
    r"(?<!nearly )(?<!almost )\b(?:all|every|each)\b(?: [\w/{}.-]+){0,3}? (?:requests?|calls?|answers?|responses?)\b",
    re.IGNORECASE,
)
_TELLS_EVERY = re.compile(r"\b(?:all|every|each)\b|\b100 ?%", re.IGNORECASE)
_TELLS_ALL = re.compile(r"\b(?:all|every|each|only|limit|full|none|never)\b|\b100 ?%|\b(\d+) of \1\b", re.IGNORECASE)
_CLEARED = re.compile(r"\bruled out\b|\bnot the cause\b|\b(?:what it shows is )?explained by\b", re.IGNORECASE)
_SAME = re.compile(
    r"\b(?:stayed|unchanged|as before|constant|stable|steady|(?:as|back to|is|are|was|were) normal)\b", re.IGNORECASE
)


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
        own = [number for item in self.items for number in relations.numbers_of(item)]
        return [*own, *relations.apart(self.items)]

    @cached_property
    def subjects(self) -> set[str]:
        """What kinds of signal the items are about; whoever reads a log line may call what it says an error."""
        logged = (
            {"errors"} if any(item.kind in (Kind.LOG, Kind.ATTACHED, Kind.PASSAGE) for item in self.items) else set()
        )
        return _subjects(self.text) | logged

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
        *(f"{cited.do_not_say} “{said}”." for said in _EVERY.findall(text) if not _TELLS_EVERY.search(cited.text)),
        *(f"{name} is not in {cited.ids}." for name in atoms.identifiers(text) if not _whole(name, cited.folded)),
        *(
            f"{number.said} is not in {cited.ids}{_elsewhere(number, cited)}."
            for number in _stated(text, cited.bundle)
            if not _has(number, cited) and not any(map(number.agrees_with, relations.sums(text, cited.items)))
        ),
        *(
            f"{cited.do_not_say} anything about {subject}."
            for subject in sorted(_MUST_BE_THERE & _subjects(atoms.QUOTE.sub(" ", text)) - cited.subjects)
        ),
    ]
    return missing[0] if missing else ""


def _contradicted(text: str, cited: _Cited) -> str:
    """Return what the cited items say instead, "" when they contradict nothing."""
    if said := relations.contradiction(text, cited.items, cited.bundle) or _opposite_clause(text, cited):
        return said
    for item in cited.items:
        direction, claimed = _direction(item), _way(text)
        opposite = claimed and direction and claimed != direction
        if opposite and len(cited.items) == 1 and _same_subject(text, item):
            return f"{item.id} says the opposite: {item.statement}"
    for number in _stated(text, cited.bundle):
        if number.dimension in (atoms.COUNT, atoms.FACTOR) or _has(number, cited) or _elsewhere(number, cited):
            continue
        for item in cited.items:
            same = [n for n in relations.numbers_of(item) if n.dimension == number.dimension]
            if same and _same_subject(text, item):
                return f"{item.id} does not say {number.said}: {item.statement}"
    return ""


def _opposite_clause(text: str, cited: _Cited) -> str:
    """Return what the items say instead, when all of those that a clause is about move the other way."""
    for clause in relations.clauses(text) if len(cited.items) > 1 else ():
        claimed, named = _way(clause), services_in(clause, cited.bundle)
        about = [
            item
            for item in cited.items
            if _subjects(clause) & _subjects(f"{item.title} {item.statement}") and (not named or item.service in named)
        ]
        ways = [_direction(item) for item in about]
        if claimed and ways and all(way and way != claimed for way in ways):
            return f"{about[0].id} says the opposite: {about[0].statement}"
    return ""


def _unrelated(text: str, cited: _Cited) -> str:
    """Return why the claim seems to be about something else: too few of its words are in what it cites."""
    plain = _CLEARED.sub(" ", text)
    there = {_stem(word) for word in map(str.lower, _WORD.findall(cited.text + " " + causality.VOCABULARY))}
    own = _own_words(plain)
    if not own:
        return "There is nothing in it to check."
    if _share(own, there, cited) < LEAST_SHARED_WORDS:
        return f"Too little of it is in {cited.ids}."
    for service in services_in(plain, cited.bundle):
        plain = _name(service).sub(" ", plain)
    beside = _own_words(plain)
    if beside and not _CLEARED.search(text) and not _measured(text, cited.bundle) and not _share(beside, there, cited):
        return f"Nothing of it but the name is in {cited.ids}."
    for given in _GIVEN.finditer(atoms.QUOTE.sub(" ", _CLEARED.sub(" ", text))):
        words = _own_words(given["rest"])
        if words and _share(words, there, cited) <= LEAST_SHARED_OF_GIVEN:
            return f"{cited.do_not_say} “{given['rest'].strip()}”."
    return ""


def _own_words(text: str) -> set[str]:
    return {word for word in map(str.lower, _WORD.findall(text)) if not _STOP.fullmatch(word)}


def _share(words: Collection[str], there: Collection[str], cited: _Cited) -> float:
    """Return how many of the words are there, of all, whatever their ending; another word for the same signal or direction is there too."""
    subjects, ways = _subjects(cited.text), {_direction(item) for item in cited.items}
    return sum(
        _stem(word) in there or bool(_subjects(word) & subjects) or _way(word) in ways - {""} for word in words
    ) / len(words)


def _measured(text: str, bundle: EvidenceBundle) -> bool:
    """Whether the claim holds something that is compared exactly: a number, a time, a version, a quotation or a program's name."""
    found = (
        _stated(text, bundle),
        atoms.clocks(text),
        atoms.versions(text),
        atoms.quotes(text),
        atoms.identifiers(text),
    )
    return any(found)


def _cleared(service: str, text: str, cited: _Cited) -> bool:
    """Return whether the claim says of a service what its verdict says: that it was ruled out, with evidence that the verdict gives."""
    ids = {item.id for item in cited.items}
    return bool(_CLEARED.search(text)) and any(
        h.service == service and h.verdict == "ruled out" and (not h.opposing or ids & set(h.opposing))
        for h in cited.bundle.hypotheses
    )


def _stated(text: str, bundle: EvidenceBundle) -> list[atoms.Number]:
    """Return the claim's numbers, without those in evidence ids, service names, quotations, the incident's date and
    the chance that code states of a service named."""
    text = citations.EVIDENCE_ID.sub(" ", atoms.QUOTE.sub(" ", text))
    named = services_in(text, bundle)
    for chance in (percent(one.confidence) for one in bundle.hypotheses if one.service in named):
        text = re.sub(rf"chance of {chance.replace(' ', ' ?')}", " ", text)  # code states it; no item does
    for service in named:
        text = _name(service).sub(" ", text)
    day = bundle.incident_start
    for date in (f"{day:%Y-%m-%d}", f"{day:%d %B %Y}", f"{day.day} {day:%B %Y}", f"{day.day} {day:%B}"):
        text = text.replace(date, " ")
    return atoms.numbers(text)


def _has(number: atoms.Number, cited: _Cited) -> bool:
    return any(number.agrees_with(other) for other in cited.numbers)


def _elsewhere(number: atoms.Number, cited: _Cited) -> str:
    for item in cited.bundle.items:
        if item not in cited.items and any(number.agrees_with(other) for other in relations.numbers_of(item)):
            return f" (but in {item.id}, which it does not cite)"
    return ""


def _words_of(item: Evidence) -> str:
    return " ".join((item.service, item.title, item.statement, *item.excerpt))


def _way(text: str) -> str:
    """Return the only direction that the text tells, "" for none or several; "did not rise" tells none."""
    text = _UNMOVED.sub(" ", text)
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


def _whole(name: str, folded: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", folded))


def _fold(text: str) -> str:
    # A model's angle brackets were taken out of HTML's hands; the evidence's were not.
    return re.sub(r"\s+", " ", _BRACKETS.sub(r"<\1>", text)).casefold()


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
