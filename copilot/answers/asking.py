"""One question with files, and an incident or none: from a shell, or for a measurement. Nothing is stored."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from copilot.answers.answering import search_passages
from copilot.answers.claims import CheckedClaim
from copilot.answers.composition import Answer, Listener
from copilot.answers.investigation import loop
from copilot.answers.investigation.found import Sources
from copilot.answers.investigation.ledger import MemoryLedger, Step
from copilot.answers.investigation.loop import Desk
from copilot.evidence import bundle as bundles
from copilot.evidence import hiding
from copilot.evidence.attached import files as attached_files
from copilot.evidence.attached import gather
from copilot.evidence.backend import backend_of
from copilot.evidence.bundle import Evidence, EvidenceBundle
from copilot.llm.chat_model import ChatModel
from copilot.privacy.cover import cover
from copilot.privacy.pseudonyms import MOST, Pseudonyms
from incidents.intake import masking
from incidents.models import Investigation

MOST_FILES = 40


class NothingToAskAbout(Exception):
    """The question has neither an incident nor a readable file; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with the bundle that it was checked against, and the steps in which more was looked up."""

    answer: Answer
    bundle: EvidenceBundle
    steps: tuple[Step, ...] = ()

    def cited(self, claim: CheckedClaim) -> list[Evidence]:
        """Return the items that a claim cites."""
        return [item for id_ in claim.cites if (item := self.bundle.get(id_)) is not None]


class Silent:
    """Follows an answer without showing it."""

    def sentence(self, position: int, text: str, cites: tuple[str, ...]) -> None:
        """Take an unfinished sentence; see `composition.Listener`."""

    def claim(self, position: int, claim: CheckedClaim) -> None:
        """Take a checked sentence; see `composition.Listener`."""


def ask(
    question: str,
    *,
    files: Iterable[Path],
    incident: Investigation | None,
    chat_model: ChatModel | None,
    now: datetime,
    listener: Listener | None = None,
) -> Asked:
    """Answer a question on files, beside an incident's evidence where there is one, and with what is looked up for it.

    Raises NothingToAskAbout, attached_files.UnreadableFile, and OSError for a file that cannot be opened.
    """
    paths = list(files)
    if not paths and incident is None:
        raise NothingToAskAbout("Name an incident (--incident ID) or attach a file (--attach FILE).")
    if len(paths) > MOST_FILES:
        raise NothingToAskAbout(f"{len(paths)} files are attached; {MOST_FILES} are allowed at once.")
    attached = [attached_files.read(path.name, path.read_bytes(), mask=masking.mask) for path in paths]
    read = gather.digest(attached)
    pseudonyms = Pseudonyms(offset=MOST)  # above the numbers that an incident's own evidence uses
    if incident is not None:
        pinned = hiding.hide(bundles.from_json(incident.evidence), pseudonyms)
        bundle = gather.beside(pinned, read, question, now=now, pseudonyms=pseudonyms)
    else:
        bundle = gather.gather(read, question, now=now, pseudonyms=pseudonyms)
    ledger = MemoryLedger(bundle, pseudonyms)
    sources = Sources(
        backend=backend_of(incident.incident) if incident is not None else None,
        incident=incident.incident if incident is not None else None,
        bundle=bundle,
        files=read.files,
        search=search_passages,
        now=now,
    )
    desk = Desk(question, sources, ledger, mask=partial(cover, pseudonyms=pseudonyms))
    answer, bundle = loop.investigate(desk, model=chat_model, listener=listener or Silent())
    # The files are the asker's own: the tokens were for the model.
    claims = tuple(replace(claim, text=pseudonyms.reveal(claim.text)) for claim in answer.claims)
    calls = (*ledger.calls, *answer.calls)
    return Asked(replace(answer, claims=claims, calls=calls), bundle, tuple(ledger.steps))


def citations(asked: Asked, claim: CheckedClaim) -> list[dict[str, object]]:
    """Return what a claim cites, as JSON types: {"id", "file", "lines", "where"}; file and lines only for attached files."""
    return [_citation(item) for item in asked.cited(claim)]


def _citation(item: Evidence) -> dict[str, object]:
    where: dict[str, object] = {"id": item.id, "where": item.query}
    if "file" in item.detail:
        where |= {"file": item.detail["file"], "lines": [line["number"] for line in item.detail["lines"]]}
    return where
