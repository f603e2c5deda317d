"""The line in which explanations wait that nobody asked for, the gravest incidents first: a storm of incidents is no storm of model calls.

A message waits in it while it is WAITING and nobody may claim it (`claimed_until` is None). What a person asks for does not wait here.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from copilot import events
from copilot.models import Message
from incidents.intake import outbox
from incidents.models import Incident

PICKED_UP = timedelta(minutes=1)  # an answer that nobody claimed by then is asked for again
TASK, QUEUE = "copilot.tasks.answer", "chat"
HOUR = timedelta(hours=1)
_LOCK = 0x5C4ED02E  # of PostgreSQL's advisory locks: one process at a time lets explanations out of the line
_OPEN = (Incident.Status.OPEN, Incident.Status.ACKNOWLEDGED)
_WAITING = {"from_copilot": True, "state": Message.State.WAITING, "claimed_until": None}


def release(*, now: datetime) -> int:
    """Ask a model for as many explanations as the limits allow: by severity, then the newest incident. Return how many."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        chosen = list(
            Message.objects.filter(**_WAITING, incident__status__in=_OPEN)
            .order_by("incident__severity", "-incident__opened_at", "pk")
            .values_list("pk", flat=True)[: _room(now=now)]
        )
        for pk in chosen:
            let_go(pk, now=now)
    return len(chosen)


def let_go(message_id: int, *, now: datetime) -> None:
    """Ask a model for an explanation that waits in line, whatever the limits: it is its turn, or somebody asked."""
    waiting = Message.objects.filter(**_WAITING, pk=message_id)
    if waiting.update(claimed_until=now + PICKED_UP, released_at=now, failure=""):
        outbox.enqueue(task=TASK, arguments=[message_id], queue=QUEUE)
        incident_id = Message.objects.values_list("incident_id", flat=True).get(pk=message_id)
        events.publish(incident_id=incident_id, kind="message.created", payload={"message": message_id})


def _room(*, now: datetime) -> int:
    lately = Message.objects.filter(released_at__gt=now - HOUR).count()
    running = Message.objects.filter(
        released_at__isnull=False,
        state__in=(Message.State.WAITING, Message.State.STREAMING),
        claimed_until__isnull=False,
    ).count()
    room: int = min(settings.LLM_RUNS_PER_HOUR - lately, settings.LLM_RUNS_AT_ONCE - running)
    return max(room, 0)
