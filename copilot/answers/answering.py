"""How an answer comes about: from the incident's evidence, and, with a model that calls tools, from what it looks up besides."""

import time
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from django.conf import settings

from copilot.answers import composition, pins, steering
from copilot.answers.claims import CheckedClaim
from copilot.answers.composition import Answer, Listener
from copilot.answers.investigation import loop
from copilot.answers.investigation.found import Sources
from copilot.answers.investigation.loop import Desk, Limits
from copilot.answers.investigation.rows import RowLedger
from copilot.answers.prompting import Turn
from copilot.evidence import bundle as bundles
from copilot.evidence import hiding
from copilot.evidence.attached import rows as attached
from copilot.evidence.attached.files import AttachedFile
from copilot.evidence.backend import backend_of
from copilot.evidence.bundle import EvidenceBundle
from copilot.llm import spending
from copilot.llm.chat_model import ChatModel
from copilot.llm.failures import CallEnded
from copilot.models import Message
from copilot.privacy import vault
from copilot.privacy.cover import cover
from copilot.privacy.pseudonyms import Pseudonyms
from incidents.models import Investigation
from runbooks.passages import SearchResult
from runbooks.search import search

TURNS = 2  # earlier questions that a model is shown
EXPLAIN = "What is going on?"  # stands for the explanation, which answers no question
PASSAGES = 3


def compose(message: Message, *, chat_model: ChatModel | None, listener: Listener, now: datetime) -> Answer:
    """Write an answer from evidence in which personal data are tokens, and pin what it rests on. Raises HidingFailed."""
    bundle = _bundle(message, now=now)
    if bundle is None:
        return Answer((), composition.State.FAILED, "The evidence is still being gathered.", temporary=True)
    pseudonyms = vault.of_incident(message.incident_id)
    bundle = hiding.hide(bundle, pseudonyms)  # what an earlier version pinned has no tokens yet
    why_not = spending.why_not(message, chat_model, now=now) if chat_model else ""
    model = None if why_not else chat_model
    stoppable = _Stoppable(message, listener)
    if message.question is None:
        found, rests_on = _composed(message, bundle, model, pseudonyms, stoppable), bundle
    else:
        desk = _desk(message, bundle, model, pseudonyms, now=now)
        found, rests_on = loop.investigate(desk, model=model, listener=stoppable)
    Message.objects.filter(pk=message.pk).update(pinned=pins.pin(rests_on))
    return replace(found, failure=found.failure or why_not)


def _composed(
    message: Message, bundle: EvidenceBundle, model: ChatModel | None, pseudonyms: Pseudonyms, listener: Listener
) -> Answer:
    """Explain the incident."""
    return composition.compose(
        question="",
        bundle=bundle,
        history=history_of(message),
        chat_model=model,
        listener=listener,
        mask=partial(cover, pseudonyms=pseudonyms),
    )


def _desk(
    message: Message, bundle: EvidenceBundle, model: ChatModel | None, pseudonyms: Pseudonyms, *, now: datetime
) -> Desk:
    """Return what a question's investigation works with."""
    files = message.incident.attachments.order_by("pk")
    sources = Sources(
        backend=backend_of(message.incident),
        incident=message.incident,
        bundle=bundle,
        files=tuple(AttachedFile(file.name, attached.lines_of(file), file.note) for file in files),
        search=search_passages,
        now=now,
    )
    return Desk(
        question=message.question.text if message.question else "",
        sources=sources,
        ledger=RowLedger(message, bundle=bundle, model=model, pseudonyms=pseudonyms, now=now),
        mask=partial(cover, pseudonyms=pseudonyms),
        history=history_of(message),
        limits=Limits(steps=settings.INVESTIGATION_STEPS, seconds=settings.INVESTIGATION_SECONDS),
    )


def search_passages(words: str, kind: str) -> SearchResult:
    """Return the passages of approved documents of a kind that fit some words."""
    return search(words, limit=PASSAGES, kinds=[kind])


def history_of(message: Message) -> list[Turn]:
    """Return the two questions answered before this one; in a thread, the two that it replies to."""
    if message.question is None:
        return []
    if message.question.reply_to_id:
        return _thread(message.question)
    earlier = Message.objects.filter(
        incident_id=message.incident_id, question__isnull=False, pk__lt=message.pk
    ).exclude(text="")
    turns = [
        Turn(m.question.text, m.text) for m in earlier.select_related("question").order_by("-pk")[:TURNS] if m.question
    ]
    return turns[::-1]


def _thread(question: Message) -> list[Turn]:
    """Return the last two questions with answers that a message leads back to, oldest first."""
    turns: list[Turn] = []
    before = question.reply_to
    while before is not None and len(turns) < TURNS:
        answered = before if before.from_copilot else Message.objects.filter(question=before).first()
        asked = answered.question if answered else before
        if answered and answered.text:
            turns.append(Turn(asked.text if asked else EXPLAIN, answered.text))
        before = asked.reply_to if asked else None
    return turns[::-1]


def _bundle(message: Message, *, now: datetime) -> EvidenceBundle | None:
    """Return the evidence to answer from; a question is looked up in the attached files, too."""
    if message.question is not None and message.incident.attachments.exists():
        return attached.pin(message.incident_id, question=message.question.text, now=now)
    pinned = Investigation.objects.filter(incident_id=message.incident_id, state=Investigation.State.READY).first()
    return bundles.from_json(pinned.evidence) if pinned else None


@dataclass
class _Stoppable:
    """Passes an answer on while it is written, and ends it when somebody has stopped it: looked at once a second."""

    message: Message
    listener: Listener
    looked_at: float = 0.0

    def sentence(self, position: int, text: str, cites: tuple[str, ...]) -> None:
        """Take an unfinished sentence. Raises CallEnded."""
        self.listener.sentence(position, text, cites)
        if time.monotonic() - self.looked_at >= 1.0:
            self.looked_at = time.monotonic()
            if why := steering.why_stopped(self.message):
                raise CallEnded(why)

    def claim(self, position: int, claim: CheckedClaim) -> None:
        """Take a checked sentence."""
        self.listener.claim(position, claim)
