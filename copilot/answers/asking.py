"""One question with files, and an incident or none: from a shell, or for a measurement. Nothing is stored."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from copilot.answers import composition
from copilot.answers.claims import CheckedClaim
from copilot.answers.composition import Answer, Listener
from copilot.evidence import hiding
from copilot.evidence.attached import files as attached_files
from copilot.evidence.attached import gather
from copilot.evidence.bundle import Evidence, EvidenceBundle
from copilot.llm.chat_model import ChatModel
from copilot.privacy.cover import cover
from copilot.privacy.pseudonyms import MOST, Pseudonyms
from incidents.intake import masking

MOST_FILES = 40


class NothingToAskAbout(Exception):
    """The question has neither an incident nor a readable file; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with the bundle that it was checked against."""

    answer: Answer
    bundle: EvidenceBundle

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
    incident: EvidenceBundle | None,
    chat_model: ChatModel | None,
    now: datetime,
    listener: Listener | None = None,
) -> Asked:
    """Answer a question on files, beside an incident's evidence where there is one.

    Raises NothingToAskAbout, attached_files.UnreadableFile, and OSError for a file that cannot be opened.
    """
    paths = list(files)
    if not paths and incident is None:
        raise NothingToAskAbout("Name an incident (--incident ID) or attach a file (--attach FILE).")
    if len(paths) > MOST_FILES:
        raise NothingToAskAbout(f"{len(paths)} files are attached; {MOST_FILES} are allowed at once.")
    read = gather.digest([attached_files.read(path.name, path.read_bytes(), mask=masking.mask) for path in paths])
    pseudonyms = Pseudonyms(offset=MOST)  # above the numbers that an incident's own evidence uses
    if incident:
        incident = hiding.hide(incident, pseudonyms)
        bundle = gather.beside(incident, read, question, now=now, pseudonyms=pseudonyms)
    else:
        bundle = gather.gather(read, question, now=now, pseudonyms=pseudonyms)
    answer = composition.compose(
        question=question,
        bundle=bundle,
        history=(),
        chat_model=chat_model,
        listener=listener or Silent(),
        mask=partial(cover, pseudonyms=pseudonyms),
    )
    # The files are the asker's own: the tokens were for the model.
    claims = tuple(replace(claim, text=pseudonyms.reveal(claim.text)) for claim in answer.claims)
    return Asked(replace(answer, claims=claims), bundle)


def citations(asked: Asked, claim: CheckedClaim) -> list[dict[str, object]]:
    """Return what a claim cites, as JSON types: {"id", "file", "lines", "where"}; file and lines only for attached files."""
    return [_citation(item) for item in asked.cited(claim)]


def _citation(item: Evidence) -> dict[str, object]:
    where: dict[str, object] = {"id": item.id, "where": item.query}
    if "file" in item.detail:
        where |= {"file": item.detail["file"], "lines": [line["number"] for line in item.detail["lines"]]}
    return where
