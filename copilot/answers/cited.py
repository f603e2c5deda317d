"""The items that a claim cites, with what can be read off them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from copilot.answers import atoms, causality, directions, relations
from copilot.answers.naming import services_in
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind
from copilot.evidence.wording import joined

_BRACKETS = re.compile(r"‹(?!\w+-\d+›)([^‹›]*)›")  # not those of a token such as ‹email-1›
_BEGINS = re.compile(r"\b(?:incident|outage|began|begun|started?|since|onset)\b", re.IGNORECASE)
_ENDS = re.compile(r"\b(?:ended|over|until|covers?|lasted)\b", re.IGNORECASE)
_OF_A_VERDICT = re.compile(
    r"\b(?:probab\w+|possib\w+|(?:un)?likel\w+|suspect\w*|ruled out|explained by|candidate|cause)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Cited:
    """The cited items with what can be read off them."""

    items: Sequence[Evidence]
    bundle: EvidenceBundle
    claim: str = ""

    @cached_property
    def told(self) -> str:
        """What the items themselves say."""
        return " ".join(map(words_of, self.items))

    @cached_property
    def text(self) -> str:
        """What the items and the verdicts that rest on them say."""
        return " ".join((self.told, *self.verdicts))

    @cached_property
    def verdicts(self) -> list[str]:
        """What code found of the services that the claim names, where the claim cites what that rests on."""
        if not (_OF_A_VERDICT.search(self.claim) or causality.blamed(self.claim, self.bundle)):
            return []
        ids, named = {item.id for item in self.items}, services_in(self.claim, self.bundle)
        return [h.sentence for h in self.bundle.hypotheses if h.service in named and ids & {*h.supporting, *h.opposing}]

    @cached_property
    def folded(self) -> str:
        return fold(self.text)

    @cached_property
    def numbers(self) -> list[atoms.Number]:
        own = [number for item in self.items for number in relations.numbers_of(item)]
        return [*own, *(number for said in self.verdicts for number in atoms.numbers(said))]

    @cached_property
    def subjects(self) -> set[str]:
        """What kinds of signal the items are about; whoever reads a log line may call what it says an error."""
        logged = (
            {"errors"} if any(item.kind in (Kind.LOG, Kind.ATTACHED, Kind.PASSAGE) for item in self.items) else set()
        )
        return directions.subjects(self.text) | logged

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
        folded = fold(quote).strip(" .,…")
        if folded in self.folded:
            return True
        parts = atoms.fixed_parts(folded)
        return bool(parts) and any(
            _in_order(parts, fold(line)) for item in self.items for line in (item.title, item.statement, *item.excerpt)
        )


def words_of(item: Evidence) -> str:
    return " ".join((item.service, item.title, item.statement, *item.excerpt))


def fold(text: str) -> str:
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
