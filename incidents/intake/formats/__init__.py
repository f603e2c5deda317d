"""One module for each sender's format; `read` finds the right one by the source's kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents.intake.documents import mask_document, read_json
from incidents.intake.formats import alertmanager, argocd, generic, github, gitlab, pagerduty
from incidents.intake.notices import Given, Reading


@dataclass(frozen=True)
class Delivery:
    """One request's content: the body as it came, and what its headers say about it."""

    body: bytes
    content_type: str = ""
    id: str = ""  # the sender's; empty when it gives none
    event: str = ""  # what the vendor's header calls it, such as GitHub's `deployment_status`


Reader = Callable[[Any, Given], Reading]
READERS: Mapping[str, Reader] = {
    "alertmanager": alertmanager.read,
    "grafana": alertmanager.read,
    "pagerduty": pagerduty.read,
    "generic": generic.read_alerts,
    "generic-change": generic.read_changes,
    "github": github.read,
    "gitlab": gitlab.read,
    "argocd": argocd.read,
}


def read(kind: str, delivery: Delivery, *, mapping: Mapping[str, str], now: datetime) -> Reading:
    """Return what a delivery says, secrets masked. Raises MalformedDocument (no JSON) and UnusableDelivery (not this kind's)."""
    document = read_json(delivery.body)
    return read_document(kind, document, event=delivery.event, mapping=mapping, now=now)


def read_document(kind: str, document: Any, *, event: str, mapping: Mapping[str, str], now: datetime) -> Reading:
    """Return what a parsed body says, secrets masked. Raises UnusableDelivery."""
    return READERS[kind](mask_document(document), Given(now=now, event=event, mapping=mapping))
