"""Messages of an incident's chat as the page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet
from django.utils.text import Truncator

from copilot.answers import questions
from copilot.evidence.bundle import Evidence, Kind
from copilot.models import InvestigationStep, Message, StreamEvent
from copilot.views.claims import ShownClaim, of_rows
from copilot.views.markdown import markdown
from copilot.views.steps import ShownSteps, steps_of

MESSAGES_SHOWN = 60
MOST_SHOWN = 300  # when a link leads to an earlier one
FIGURES_SHOWN = 3  # charts and traces under one answer
QUOTED = 60  # characters of what a message replies to
_WRITTEN = (Message.State.DONE, Message.State.PARTIAL)
_UNFINISHED = (Message.State.WAITING, Message.State.STREAMING)

# Without their tables, which may be long.
_STEPS = Prefetch("steps", queryset=InvestigationStep.objects.defer("lines"))

Known = Mapping[str, Evidence]  # what a citation may lead to


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a message replies to."""

    pk: int
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """One question or answer. `is_busy` while it is being written; `failure` says why there is no full answer.

    `before` is how many questions of the incident are answered first, while it waits.
    """

    pk: int
    author: str
    from_copilot: bool
    asked_by: str
    text: str
    created_at: datetime
    state: str
    is_busy: bool
    is_partial: bool
    failure: str
    claims: tuple[ShownClaim, ...]
    footer: str
    reply_to: Quoted | None
    before: int
    figures: tuple[Evidence, ...]
    markdown: str
    steps: ShownSteps


def asked_of(incident_id: int) -> tuple[str, ...]:
    """Return the newest questions that people asked of an incident."""
    found = Message.objects.filter(incident_id=incident_id, from_copilot=False).order_by("-pk")
    return tuple(found.values_list("text", flat=True)[:MESSAGES_SHOWN])


def conversation(incident_id: int, *, known: Known, since: int = 0) -> tuple[ShownMessage, ...]:
    """Return the newest 60 messages, oldest first; with `since`, at most 300, so that this one is among them."""
    found = _messages().filter(incident_id=incident_id).order_by("-created_at", "-pk")
    newest = list(found[:MESSAGES_SHOWN])
    if since and newest and since < newest[-1].pk:
        newest = list(found.filter(pk__gte=since)[:MOST_SHOWN])
    waiting = _waiting(incident_id)
    return tuple(_shown(message, known=known, waiting=waiting) for message in reversed(newest))


def one_message(incident_id: int, message_id: int, *, known: Known) -> ShownMessage:
    """Return one message. Raises Message.DoesNotExist."""
    found = _messages().get(incident_id=incident_id, pk=message_id)
    return _shown(found, known=known, waiting=_waiting(incident_id))


def follow_from(incident_id: int, *, newest: int) -> int:
    """Return the number after which a page that shows events up to `newest` must follow.

    An answer that is being written is not in the rows yet, so the page hears it again from its first event.
    """
    unfinished = _waiting(incident_id)
    if not unfinished:
        return newest
    started = (
        StreamEvent.objects.filter(incident_id=incident_id, kind="answer.started", payload__message__in=unfinished)
        .order_by("number")
        .values_list("number", flat=True)
        .first()
    )
    return newest if started is None else min(newest, started - 1)


def _waiting(incident_id: int) -> list[int]:
    """Return the answers of the incident that are not written yet, in the order they were asked for."""
    unfinished = Message.objects.filter(incident_id=incident_id, from_copilot=True, state__in=_UNFINISHED)
    return list(unfinished.order_by("pk").values_list("pk", flat=True))


def _messages() -> QuerySet[Message]:
    return Message.objects.select_related(
        "incident", "author", "question__author", "reply_to__author", "reply_to__question"
    ).prefetch_related("claims__feedback__user", "model_calls", _STEPS, "steerings__author")


def _shown(message: Message, *, known: Known, waiting: list[int]) -> ShownMessage:
    claims = of_rows(list(message.claims.all()), known=known)
    is_busy = message.from_copilot and message.state in _UNFINISHED
    return ShownMessage(
        pk=message.pk,
        author=_author(message),
        from_copilot=message.from_copilot,
        asked_by=_author(message.question) if message.question else "",
        text=message.text,
        created_at=message.created_at,
        state=message.state,
        is_busy=is_busy,
        is_partial=message.state == Message.State.PARTIAL,
        failure=message.failure,
        claims=claims,
        footer=questions.footer(message) if message.from_copilot and message.state in _WRITTEN else "",
        reply_to=_quoted(message.reply_to) if message.reply_to else None,
        before=sum(other < message.pk for other in waiting) if is_busy else 0,
        figures=() if is_busy else _figures(claims, known=known),
        markdown=markdown(message, claims, known=known) if claims and not is_busy else "",
        steps=steps_of(message, known=known),
    )


def _author(message: Message) -> str:
    return "Co-pilot" if message.from_copilot else message.author.get_username() if message.author else "Somebody"


def _quoted(message: Message) -> Quoted:
    text = message.text or (message.question.text if message.question else "")
    return Quoted(message.pk, _author(message), Truncator(text.replace("\n", " ")).chars(QUOTED))


def _figures(claims: tuple[ShownClaim, ...], *, known: Known) -> tuple[Evidence, ...]:
    """Return the charts and traces that an answer rests on, as it cites them first; what was struck out shows none."""
    cited = dict.fromkeys(cite for claim in claims if claim.verdict != "struck" for cite in claim.cites)
    items = (known[cite] for cite in cited)
    return tuple(item for item in items if item.kind in (Kind.METRIC, Kind.TRACE))[:FIGURES_SHOWN]
