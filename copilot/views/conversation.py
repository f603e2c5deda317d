"""Messages of an incident's chat as the page shows them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from copilot.answers import questions
from copilot.models import Message, StreamEvent
from copilot.views.claims import ShownClaim, of_rows

MESSAGES_SHOWN = 60
_WRITTEN = (Message.State.DONE, Message.State.PARTIAL)
_UNFINISHED = (Message.State.WAITING, Message.State.STREAMING)


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """One question or answer. `is_busy` while it is being written; `failure` says why there is no full answer."""

    pk: int
    author: str
    from_copilot: bool
    text: str
    created_at: datetime
    state: str
    is_busy: bool
    is_partial: bool
    failure: str
    claims: tuple[ShownClaim, ...]
    footer: str


def conversation(incident_id: int, *, known: Collection[str]) -> tuple[ShownMessage, ...]:
    """Return the newest 60 messages, oldest first."""
    found = _messages().filter(incident_id=incident_id).order_by("-created_at", "-pk")[:MESSAGES_SHOWN]
    return tuple(_shown(message, known=known) for message in reversed(found))


def one_message(incident_id: int, message_id: int, *, known: Collection[str]) -> ShownMessage:
    """Return one message. Raises Message.DoesNotExist."""
    return _shown(_messages().get(incident_id=incident_id, pk=message_id), known=known)


def follow_from(incident_id: int, *, newest: int) -> int:
    """Return the number after which a page that shows events up to `newest` must follow.

    An answer that is being written is not in the rows yet, so the page hears it again from its first event.
    """
    unfinished = list(
        Message.objects.filter(incident_id=incident_id, from_copilot=True, state__in=_UNFINISHED).values_list(
            "pk", flat=True
        )
    )
    if not unfinished:
        return newest
    started = (
        StreamEvent.objects.filter(incident_id=incident_id, kind="answer.started", payload__message__in=unfinished)
        .order_by("number")
        .values_list("number", flat=True)
        .first()
    )
    return newest if started is None else min(newest, started - 1)


def _messages() -> QuerySet[Message]:
    return Message.objects.select_related("author").prefetch_related("claims", "model_calls")


def _shown(message: Message, *, known: Collection[str]) -> ShownMessage:
    claims = of_rows(list(message.claims.all()), known=known)
    author = "Co-pilot" if message.from_copilot else (message.author.get_username() if message.author else "Somebody")
    return ShownMessage(
        pk=message.pk,
        author=author,
        from_copilot=message.from_copilot,
        text=message.text,
        created_at=message.created_at,
        state=message.state,
        is_busy=message.from_copilot and message.state in _UNFINISHED,
        is_partial=message.state == Message.State.PARTIAL,
        failure=message.failure,
        claims=claims,
        footer=questions.footer(message) if message.from_copilot and message.state in _WRITTEN else "",
    )
