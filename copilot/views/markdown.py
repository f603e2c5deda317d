"""An answer as Markdown, to paste into a ticket or another chat: each sentence with its state, what it cites, and a link back."""

import re
from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings
from django.urls import reverse

from copilot.evidence.bundle import Evidence
from copilot.models import Message
from copilot.views.claims import ShownClaim

# Telemetry and models write the text: nothing in it may become a link, an image, a heading or markup elsewhere.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>~|#!@])")


def link_to(message: Message) -> str:
    """Return the address of a message, which works however old it is."""
    page = reverse("incident-page", args=[message.incident_id])
    return f"{settings.PUBLIC_URL}{page}?message={message.pk}#m-{message.pk}"


def markdown(message: Message, claims: Sequence[ShownClaim], *, known: Mapping[str, Evidence]) -> str:
    """Return an answer as Markdown: its question, its sentences, the items that they cite, and a link."""
    question = message.question
    asked = f": {plain(question.text)}" if question else ""
    by = question.author.get_username() if question and question.author else ""
    who = f"asked by {plain(by)}, " if by else ""
    head = f"**{message.incident.reference}{asked}** ({who}{message.created_at:%Y-%m-%d %H:%M} UTC)"
    cited = dict.fromkeys(cite for claim in claims for cite in claim.cites)
    parts = [
        "\n".join(_sentence(claim) for claim in claims),
        "\n".join(_items(known[cite] for cite in cited)),
        link_to(message),
    ]
    return "\n\n".join(part for part in (head, *parts) if part)


def plain(text: str) -> str:
    """Return a text in one line that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _sentence(claim: ShownClaim) -> str:
    said = f"~~{plain(claim.text)}~~" if claim.verdict == "struck" else plain(claim.text)
    cites = f" \\[{', '.join(claim.cites)}\\]" if claim.cites else ""
    doubt = f" ({claim.word.lower()}: {plain(claim.reason)})" if claim.reason else ""
    return f"- {said}{cites}{doubt}"


def _items(items: Iterable[Evidence]) -> Iterable[str]:
    return (
        f"- {item.id} {plain(item.statement)} (`{' '.join(item.query.split()).replace('`', '')}`)" for item in items
    )
