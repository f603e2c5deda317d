"""Who is meant by @name in a message, and telling them."""

import re
from datetime import datetime

from django.contrib.auth.models import User

from copilot.models import Message
from incidents import teamwork

MOST_NAMED = 10  # people told by one message
_NAME = re.compile(r"(?<![\w@])@([\w.+-]{0,149}\w)")


def names_in(text: str) -> list[str]:
    """Return the names after an @ in a text, in their order, each once, without the @."""
    return list(dict.fromkeys(_NAME.findall(text)))[:MOST_NAMED]


def people_in(text: str) -> list[User]:
    """Return who is meant: active people with such a name, whatever its capitals."""
    found = [User.objects.filter(username__iexact=name, is_active=True).first() for name in names_in(text)]
    return list({user.pk: user for user in found if user}.values())


def is_for_people(text: str) -> bool:
    """Return whether a message is for a person and no question to the co-pilot: it begins with the @name of somebody."""
    named = _NAME.match(text)
    return named is not None and bool(people_in(named.group()))


def tell(message: Message, *, now: datetime) -> list[User]:
    """Notify everybody who is named in a message, except its author and who may not see the incident; return who was told."""
    author = message.author
    named = [user for user in people_in(message.text) if author is None or user.pk != author.pk]
    by = author.get_username() if author else "Somebody"
    return teamwork.tell(named, incident=message.incident, text=f"{by}: {message.text}", now=now)
