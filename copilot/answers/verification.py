"""Checks a claim against the evidence that it cites. Code decides, never the model: supported, unverified or struck, with the reason."""

import re
from collections.abc import Callable, Iterable, Sequence

from copilot.answers import (
    actors,
    atoms,
    causality,
    citations,
    components,
    coverage,
    directions,
    facts,
    measures,
    polarity,
    relations,
    sequence,
    shares,
    spoken,
    versions,
)
from copilot.answers.cited import Cited, fold, words_of
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.answers.facts import Of
from copilot.answers.naming import all_services, services_in
from copilot.answers.naming import name as _name
from copilot.answers.naming import names as _names
from copilot.evidence.bundle import Evidence, EvidenceBundle
from copilot.evidence.wording import percent

_MUST_BE_THERE = {"errors", "traffic", "cpu", "memory"}  # what a claim speaks of only when its evidence does
# "All its connections": an item that only counts does not say out of how many.
_ALL = re.compile(
    r"(?<!nearly )(?<!almost )(?<!practically )\b(?:all|every one) (?:of )?(?:its|the|their)\b|\b(?:everything|everybody|nothing|all) else\b",
    re.IGNORECASE,
)
_EVERY = re.compile(
    r"(?<!nearly )(?<!almost )\b(?:all|every|each)\b(?: [\w/{}.-]+){0,3}? (?:requests?|calls?|answers?|responses?)\b",
    re.IGNORECASE,
)
_TELLS_EVERY = re.compile(r"\b(?:all|every|each)\b|\b100 ?%", re.IGNORECASE)
_TELLS_ALL = re.compile(
    r"(?<!nearly )(?<!almost )(?<!practically )\b(?:all|every|each|only|limit|full|none|never)\b|\b100 ?%|\b(\d+) of \1\b",
    re.IGNORECASE,
)
# A number that names something rather than counting it.
_NUMBERED = re.compile(
    r"\b(?:port|line|process|pid|status|code|http|batch|import|job|attempt|step|revision|version|shard|partition|worker|node)\s$",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"\d[\d,.]*\d|\d")
_SENTENCE = re.compile(r"(?<=[.!?”])\s+(?=[A-Z])")
_CLEARED = re.compile(r"\bruled out\b|\bnot the cause\b|\b(?:what it shows is )?explained by\b", re.IGNORECASE)


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

    for sentence in _SENTENCE.split(text):
        contradiction = causality.contradiction(sentence, bundle) or sequence.contradiction(
            _figures_beside_quotes(sentence), items, bundle
        )
        about = _about(sentence, items)
        if contradiction or (about and (contradiction := _contradicted(sentence, Cited(about, bundle, sentence)))):
            return said(Verdict.STRUCK, contradiction)
    if missing:
        return said(Verdict.UNVERIFIED, f"There is no evidence {' or '.join(missing)}.")
    if not items:
        return said(Verdict.UNVERIFIED, "It cites no evidence.")
    doubt = _doubted(text, Cited(items, bundle, text))
    return said(Verdict.UNVERIFIED, doubt) if doubt else said(Verdict.SUPPORTED)


def _figures_beside_quotes(text: str) -> str:
    return spoken.figures(atoms.QUOTE.sub(" ", text))


def _about(sentence: str, items: Sequence[Evidence]) -> Sequence[Evidence]:
    """Return the items that a sentence names ("E3 shows that …"), all when it names none of them."""
    named = citations.EVIDENCE_ID.findall(sentence)
    return [item for item in items if item.id in named] or items


def _doubted(text: str, cited: Cited) -> str:
    """Return why the cited items do not establish the claim, "" when they do."""
    plain = atoms.QUOTE.sub(" ", text)
    return (
        _unfound(text, cited)
        or causality.doubt(text, cited.items, cited.bundle)
        or components.doubt(text, cited.items, cited.bundle)
        or (polarity.doubt(plain, cited.items) if not cited.verdicts else "")
        or shares.doubt(text, cited.items)
        or _unrelated(text, cited)
    )


def _unfound(text: str, cited: Cited) -> str:
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
        *(f"{cited.do_not_say} “{said}”." for said in _ALL.findall(text) if not _TELLS_ALL.search(cited.told)),
        *(f"{cited.do_not_say} “{said}”." for said in _EVERY.findall(text) if not _TELLS_EVERY.search(cited.told)),
        *(f"{name} is not in {cited.ids}." for name in atoms.identifiers(text) if not _whole(name, cited.folded)),
        *(
            f"{number.said} is not in {cited.ids}{_elsewhere(number, cited)}."
            for number in atoms.numbers(_in_figures(text, cited.bundle))
            if not _is_told(number, text, cited)
        ),
        *(
            f"{cited.do_not_say} anything about {subject}."
            for subject in sorted(_MUST_BE_THERE & directions.subjects(atoms.QUOTE.sub(" ", text)) - cited.subjects)
        ),
    ]
    return missing[0] if missing else ""


def _measured(text: str, bundle: EvidenceBundle) -> bool:
    """Whether the claim holds something that is compared exactly: a number, a time, a version, a quotation or a program's name."""
    found = (
        atoms.numbers(_in_figures(text, bundle)),
        atoms.clocks(text),
        atoms.versions(text),
        atoms.quotes(text),
        atoms.identifiers(text),
    )
    return any(found)


def _cleared(service: str, text: str, cited: Cited) -> bool:
    """Return whether the claim says of a service what its verdict says: that it was ruled out, with evidence that the verdict gives."""
    ids = {item.id for item in cited.items}
    return bool(_CLEARED.search(text)) and any(
        h.service == service and h.verdict == "ruled out" and (not h.opposing or ids & set(h.opposing))
        for h in cited.bundle.hypotheses
    )


def _in_figures(text: str, bundle: EvidenceBundle) -> str:
    """Return the claim with its numbers as figures, without those in evidence ids, service names, quotations, the incident's date
    and the chance that code states of a service named."""
    text = citations.EVIDENCE_ID.sub(" ", atoms.QUOTE.sub(" ", text))
    text = _without_chance(text, bundle)
    for service in services_in(text, bundle):
        text = _name(service).sub(" ", text)
    day = bundle.incident_start
    for date in (f"{day:%Y-%m-%d}", f"{day:%d %B %Y}", f"{day.day} {day:%B %Y}", f"{day.day} {day:%B}"):
        text = text.replace(date, " ")
    return spoken.figures(text)


def _without_chance(text: str, bundle: EvidenceBundle) -> str:
    """Return the text without the chance of a service that it names: code states it, no item does."""
    named = services_in(text, bundle)
    for chance in (percent(one.confidence) for one in bundle.hypotheses if one.service in named):
        text = text.replace(f"chance of {chance}", " ")
    return text


def _is_told(number: atoms.Number, text: str, cited: Cited) -> bool:
    """Whether the items hold the number, or it follows from what they hold: a distance of two times, a sum, how many items there are."""
    figures = _in_figures(text, cited.bundle)
    if measures.is_interval(figures, number):
        return measures.fits_interval(number, cited.items, cited.bundle)
    if _has(number, cited, counts=_counts(figures, number)) or any(
        map(number.agrees_with, (*relations.sums(text, cited.items), *relations.parts(cited.items)))
    ):
        return True
    if measures.may_be_interval(figures, number) and measures.fits_interval(number, cited.items, cited.bundle):
        return True
    if number.dimension == atoms.COUNT and _NUMBERED.search(figures[: number.start]):
        return bool(number.said in _FIGURE.findall(cited.text))
    is_count = _counts(figures, number) and number.raw > 1
    return is_count and number.raw in (len(cited.items), len(services_in(text, cited.bundle)))


def _contradicted(text: str, cited: Cited) -> str:
    """Return what the cited items say instead, "" when they contradict nothing."""
    items, bundle = cited.items, cited.bundle
    plain = _without_chance(atoms.QUOTE.sub(" ", text), bundle)
    figures = _in_figures(text, bundle)
    numbers = atoms.numbers(figures)
    checks: tuple[Callable[[], str], ...] = (
        lambda: relations.contradiction(plain, items, bundle),
        lambda: directions.contradiction(spoken.figures(plain), items, bundle),
        lambda: measures.of_another_time(figures, numbers, [value for item in items for value in facts.values(item)]),
        lambda: measures.at_another_moment(plain, items),
        lambda: measures.not_of_all(figures, numbers, items),
        lambda: shares.contradiction(plain, items, bundle),
        lambda: shares.in_turn(plain, figures, items, _listed(plain, bundle)),
        lambda: versions.contradiction(plain, items, bundle),
        lambda: polarity.contradiction(plain, items),
        lambda: actors.contradiction(plain, items, all_services(bundle)),
        lambda: _of_another_line(figures, text, cited),
        lambda: _another_number(numbers, figures, text, cited),
    )
    return next((said for one in checks if (said := one())), "")


def _listed(text: str, bundle: EvidenceBundle) -> list[str]:
    """Return the services in the order in which the text names them."""
    places = (
        (match.start(), service) for service in services_in(text, bundle) if (match := _name(service).search(text))
    )
    return [service for _, service in sorted(places)]


def _another_number(numbers: Sequence[atoms.Number], figures: str, text: str, cited: Cited) -> str:
    """Return the item that holds another number for the same thing."""
    for number in numbers:
        if (
            number.dimension in (atoms.COUNT, atoms.FACTOR)
            or _is_told(number, text, cited)
            or _elsewhere(number, cited)
        ):
            continue
        for item in cited.items if not measures.is_interval(figures, number) else ():
            same = [n for n in relations.numbers_of(item) if n.dimension == number.dimension]
            if same and directions.subjects(text) & directions.subjects(words_of(item)):
                return f"{item.id} does not say {number.said}: {item.statement}"
    return ""


def _unrelated(text: str, cited: Cited) -> str:
    """Return why the claim is about something else, or about something more: a word of it is not in what it cites."""
    names = all_services(cited.bundle)
    plain = _CLEARED.sub(" ", text)
    if word := coverage.unspoken(spoken.figures(plain), cited.text, names):
        return f"{cited.do_not_say} anything about “{word}”."
    if (
        _CLEARED.search(text)
        or causality.blamed(text, cited.bundle)
        or _measured(text, cited.bundle)
        or sequence.tells(text, cited.items, cited.bundle)
    ):
        return ""
    return "" if coverage.own_words(plain, names) else "There is nothing in it to check."


_COUNTED = re.compile(
    r"^\s(?!times?\b|and\b|to\b|or\b|before\b|after\b|during\b|from\b|versus\b|at\b|in\b|of\b|instead\b|while\b|with\b|for\b|when\b|compared\b|against\b|per\b|since\b|percent)[a-z]{4,}"
)


def _counts(figures: str, number: atoms.Number) -> bool:
    """Whether a bare number counts things: then it is no length of time, share or rate."""
    return number.dimension == atoms.COUNT and bool(_COUNTED.search(figures[number.end :]))


def _has(number: atoms.Number, cited: Cited, *, counts: bool = False) -> bool:
    """Whether the items hold the number; a bound ("less than 90 %") is about what they measured, where they measured such a thing."""
    if number.bound:
        own = [
            value.number
            for item in cited.items
            for value in facts.values(item)[: facts.MEASURED]
            if value.of is not Of.ANY
        ]
        own = [other for other in own if other.dimension == number.dimension]
        return any(map(number.agrees_with, own or cited.numbers))
    if counts:
        return any(
            number.agrees_with(other) for other in cited.numbers if other.dimension in (atoms.COUNT, atoms.FACTOR)
        )
    return any(map(number.agrees_with, cited.numbers))


def _of_another_line(figures: str, text: str, cited: Cited) -> str:
    """A number that only a line other than the quoted one holds: of several lines, each is of its own number."""
    lines = [line for item in cited.items for line in item.excerpt]
    quoted = [line for line in lines if any(fold(quote) in fold(line) for quote in atoms.quotes(text))]
    if not quoted:
        return ""
    own = [
        n for item in cited.items for n in (*atoms.numbers(item.statement), *atoms.statistic_numbers(item.statistic))
    ]
    own += [number for line in quoted for number in atoms.numbers(line)]
    for number in atoms.numbers(figures):
        there = [line for line in lines if any(map(number.agrees_with, atoms.numbers(line)))]
        if there and not any(map(number.agrees_with, own)):
            return f"Another line says {number.said}: “{there[0]}”."
    return ""


def _elsewhere(number: atoms.Number, cited: Cited) -> str:
    for item in cited.bundle.items:
        if item not in cited.items and any(number.agrees_with(other) for other in relations.numbers_of(item)):
            return f" (but in {item.id}, which it does not cite)"
    return ""


def _whole(name: str, folded: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", folded))
