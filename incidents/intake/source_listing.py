"""What the settings show of alert sources: how each is doing, its last deliveries, and what was refused and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q, Sum

from incidents.intake.documents import clean
from incidents.intake.masking import mask
from incidents.models import AlertSource, DropCount, RawEvent, SourceToken

DAY = timedelta(days=1)
SHOWN_DELIVERIES = 20
SHOWN_BODY = 40_000  # bytes of a body on its page


@dataclass(frozen=True)
class SourceRow:
    """One source in the list. `state` is receiving, refusing, silent, waiting (nothing ever came) or off."""

    pk: int
    name: str
    kind: str
    kind_label: str
    state: str
    last_received_at: datetime | None
    deliveries: int  # of the last 24 hours
    unusable: int
    refused: int
    is_signed: bool
    has_token: bool


@dataclass(frozen=True)
class Refusal:
    """How often deliveries or their parts were refused for one reason, and when last."""

    what: str
    reason: str
    count: int
    last_at: datetime


STATE_WORDS: Mapping[str, str] = {
    "receiving": "Receiving",
    "refusing": "Refusing",
    "silent": "Silent for a day",
    "waiting": "Nothing came yet",
    "off": "Switched off",
}


def rows(*, now: datetime) -> list[SourceRow]:
    """Return every source with how it did in the last 24 hours."""
    refused = dict(
        DropCount.objects.filter(what="deliveries", minute_at__gte=now - DAY)
        .values_list("source")
        .annotate(total=Sum("count"))
        .order_by()
    )
    valid = set(SourceToken.objects.filter(revoked_at=None).values_list("source_id", flat=True))
    return [
        _row(source, refused=refused.get(source.name, 0), has_token=source.pk in valid, now=now)
        for source in AlertSource.objects.all()
    ]


def _row(source: AlertSource, *, refused: int, has_token: bool, now: datetime) -> SourceRow:
    newest = source.raw_events.values_list("received_at", flat=True).first()
    recent = source.raw_events.filter(received_at__gte=now - DAY).aggregate(
        came=Sum("times"), useless=Count("pk", filter=Q(alerts=0) & ~Q(problem=""))
    )
    came_at = newest or source.last_received_at
    return SourceRow(
        pk=source.pk,
        name=source.name,
        kind=source.kind,
        kind_label=source.get_kind_display(),
        state=_state(source, came_at, refused=refused, now=now),
        last_received_at=came_at,
        deliveries=recent["came"] or 0,
        unusable=recent["useless"],
        refused=refused,
        is_signed=bool(source.signing_secrets),
        has_token=has_token,
    )


def _state(source: AlertSource, came_at: datetime | None, *, refused: int, now: datetime) -> str:
    if not source.is_enabled:
        return "off"
    if refused:
        return "refusing"
    if came_at is None:
        return "waiting"
    return "receiving" if now - came_at < DAY else "silent"


def refusals(source: AlertSource, *, now: datetime) -> list[Refusal]:
    """Return what was refused of a source in the last 24 hours, the most frequent first."""
    found = (
        DropCount.objects.filter(source=source.name, minute_at__gte=now - DAY)
        .values("what", "reason")
        .annotate(total=Sum("count"), last_at=Max("minute_at"))
        .order_by("-total")
    )
    return [Refusal(one["what"], one["reason"], one["total"], one["last_at"]) for one in found]


def unknown_senders(*, now: datetime) -> int:
    """Return how many deliveries of the last 24 hours came with a token that nobody has."""
    found = DropCount.objects.filter(source="unknown", reason="token", minute_at__gte=now - DAY)
    return int(found.aggregate(total=Sum("count"))["total"] or 0)


def deliveries(source: AlertSource) -> Sequence[RawEvent]:
    """Return the last deliveries, without their bodies."""
    return list(source.raw_events.defer("body")[:SHOWN_DELIVERIES])


def body_of(raw: RawEvent) -> tuple[str, bool]:
    """Return a delivery's body as text that may be shown, secrets masked, and whether it was cut."""
    whole = bytes(raw.body)
    text = mask(whole[:SHOWN_BODY].decode("utf-8", errors="replace"))
    return clean(text, most_bytes=4 * SHOWN_BODY), len(whole) > SHOWN_BODY
