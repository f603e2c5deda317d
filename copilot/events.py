"""What open pages should show next: numbered rows that a page can always re-read, and a hint on the channel layer that there are new ones."""

import asyncio
import logging
import time
from collections.abc import Iterable

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

from copilot.models import StreamEvent
from incidents.models import Incident

logger = logging.getLogger(__name__)

LIST_GROUP = "incidents"
# Kinds after which a line of the incident list looks different.
LIST_KINDS = frozenset({"investigation.ready", "incident.changed"})
HINT_SECONDS = 1.0  # how long a hint may take; it is a convenience
PAUSE_SECONDS = 5.0  # after a failed hint none is tried for so long, so that a dead Redis does not slow an answer

Hints = list[tuple[str, dict[str, object]]]  # channel group and what it is told

_paused_until = 0.0


def incident_group(incident_id: int) -> str:
    """Return the channel group of an incident's open pages."""
    return f"incident-{incident_id}"


def person_group(user_id: int) -> str:
    """Return the channel group of a person's open sockets."""
    return f"person-{user_id}"


def bell_group(user_id: int) -> str:
    """Return the channel group of a person's bells, one on each open page."""
    return f"bell-{user_id}"


def ring(user_ids: Iterable[int]) -> None:
    """Have open pages of these people read anew how much they have not read. Without a channel layer they do so when they are loaded."""
    _hint([(bell_group(user_id), {"type": "bell.rang"}) for user_id in user_ids], about="notifications")


def access_changed(user_id: int) -> None:
    """Have the person's open sockets look at once whether they may stay open: after signing out, or a change of role or account.

    Without a channel layer they look within a minute by themselves.
    """
    _hint([(person_group(user_id), {"type": "access.changed"})], about=f"the access of person {user_id}")


def publish(*, incident_id: int, kind: str, payload: dict[str, object]) -> int:
    """Record an event under the incident's next number and return that number.

    Numbers are given under the incident row's lock, so they are in commit order and without gaps; the lock is held until the
    caller's transaction ends. After commit, open sockets get a hint; a hint that is lost costs nothing but a few seconds.
    Raises Incident.DoesNotExist.
    """
    with transaction.atomic():
        incident = Incident.objects.select_for_update().only("last_event_number").get(pk=incident_id)
        number = incident.last_event_number + 1
        StreamEvent.objects.create(incident_id=incident_id, number=number, kind=kind, payload=payload)
        Incident.objects.filter(pk=incident_id).update(last_event_number=number)
        told = _told(incident_id, as_json(number=number, kind=kind, payload=payload))
        transaction.on_commit(lambda: _hint(told, about=f"incident {incident_id}"))
    return number


def since(*, incident_id: int, number: int, limit: int = 500) -> list[StreamEvent]:
    """Return the incident's events after `number`, in order, at most `limit`."""
    return list(StreamEvent.objects.filter(incident_id=incident_id, number__gt=number).order_by("number")[:limit])


def as_json(*, number: int, kind: str, payload: dict[str, object]) -> dict[str, object]:
    """Return an event as pages get it."""
    return {"number": number, "kind": kind, "payload": payload}


def _hint(messages: Hints, *, about: str) -> None:
    global _paused_until
    if time.monotonic() < _paused_until:
        return
    try:
        async_to_sync(_send)(messages)
    except (RedisError, OSError, TimeoutError) as error:
        _paused_until = time.monotonic() + PAUSE_SECONDS
        logger.warning(
            "No live hint about %s: %s: %s. Pages re-read by themselves; next try in %.0f s.",
            about,
            type(error).__name__,
            error,
            PAUSE_SECONDS,
        )


def _told(incident_id: int, event: dict[str, object]) -> Hints:
    """Return which groups hear what of an event."""
    told: Hints = [(incident_group(incident_id), {"type": "event.published", "event": event})]
    if event["kind"] in LIST_KINDS:
        told.append((LIST_GROUP, {"type": "incidents.changed", "incident": incident_id}))
    return told


async def _send(messages: Hints) -> None:
    layer = get_channel_layer()
    async with asyncio.timeout(HINT_SECONDS):
        for group, message in messages:
            await layer.group_send(group, message)
