"""A word to an answer that is being written: what to look at next, or to stop."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from copilot import events
from copilot.llm.plain_text import clean
from copilot.models import Message, Steering

LONGEST = 300  # characters
MOST = 20  # words to one answer


class SteeringRefused(Exception):
    """It cannot be said; the message says why and is meant for who said it."""


def steer(message_id: int, *, text: str, user: User | None, now: datetime) -> Steering:
    """Have the next turn of an investigation heed some words. Raises SteeringRefused, Message.DoesNotExist."""
    words = clean(text)
    if not words:
        raise SteeringRefused("Write first what to look at.")
    if len(words) > LONGEST:
        raise SteeringRefused(f"That has {len(words)} characters; {LONGEST} are allowed.")
    return _say(message_id, text=words, user=user, now=now)


def stop(message_id: int, *, user: User | None, now: datetime) -> Steering:
    """Have an answer end with what it has. Raises SteeringRefused, Message.DoesNotExist."""
    return _say(message_id, text="", user=user, now=now)


def why_stopped(message: Message) -> str:
    """Return who has stopped an answer, in a sentence; "" when nobody has."""
    said = message.steerings.filter(text="").select_related("author").first()
    if said is None:
        return ""
    return f"Stopped by {said.author.get_username() if said.author else 'somebody'}."


def _say(message_id: int, *, text: str, user: User | None, now: datetime) -> Steering:
    with transaction.atomic():
        message = Message.objects.select_for_update().get(pk=message_id, from_copilot=True)
        if message.state != Message.State.STREAMING:
            raise SteeringRefused("This answer is not being written now.")
        if message.steerings.count() >= MOST:
            raise SteeringRefused(f"{MOST} things were said to this answer; wait for what comes of them.")
        said = Steering.objects.create(message=message, author=user, text=text, at=now)
        author = user.get_username() if user else "Somebody"
        payload = {"message": message_id, "author": author, "text": text, "steering": said.pk}
        events.publish(incident_id=message.incident_id, kind="answer.steered", payload=payload)
    return said
