"""Takes a delivery of alerts or changes in: everything it says is committed with the raw bytes and the task that goes on with it, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, InterfaceError, transaction

from incidents.intake import drops, formats, storing
from incidents.intake.documents import MalformedDocument
from incidents.intake.formats import Delivery
from incidents.intake.notices import Reading, UnusableDelivery
from incidents.intake.refusals import Refused
from incidents.models import AlertSource

MOST_BYTES = 1024 * 1024
DISK_FULL = "53100"


@dataclass(frozen=True)
class Receipt:
    """What became of a delivery. `ignored` says why nothing was kept of it although nothing was wrong."""

    alerts: int = 0
    changes: int = 0
    refused: int = 0
    problems: tuple[str, ...] = ()
    ignored: str = ""
    fingerprint: str = ""  # of the only alert, which PagerDuty calls its dedup key
    is_duplicate: bool = False


def receive(source: AlertSource, delivery: Delivery, *, now: datetime) -> Receipt:
    """Store what a delivery says; when this returns, it is committed. Raises Refused, and then at most the raw bytes are kept.

    A delivery with an id that came before changes nothing. One without is known by its bytes, and counts again.
    """
    if len(delivery.body) > MOST_BYTES:
        raise Refused(
            413, f"The body has {len(delivery.body)} bytes; at most {MOST_BYTES} are taken.", reason="too large"
        )
    with database_or_refusal():
        try:
            reading = formats.read(source.kind, delivery, mapping=source.mapping, now=now)
        except (MalformedDocument, UnusableDelivery) as unusable:
            storing.keep_unusable(source, delivery, problem=str(unusable), now=now)
            raise Refused(400, str(unusable), reason="unusable body") from unusable
        if reading.refused and not (reading.alerts or reading.changes):
            storing.keep_unusable(source, delivery, problem="\n".join(reading.problems), now=now)
            _count_refused(source, reading, now=now)
        _require_something(reading)
        is_new = storing.store(source, delivery, reading, now=now)
    drops.write_due(now=now)
    if not is_new:
        return Receipt(is_duplicate=True)
    _count_refused(source, reading, now=now)
    return _receipt(reading)


def read_again(source: AlertSource, delivery: Delivery, *, now: datetime) -> Receipt:
    """Take in again what was kept of a delivery, for example because the mapping has been corrected. Raises Refused (400)."""
    try:
        reading = formats.read(source.kind, delivery, mapping=source.mapping, now=now)
    except (MalformedDocument, UnusableDelivery) as unusable:
        raise Refused(400, str(unusable), reason="unusable body") from unusable
    _require_something(reading)
    with transaction.atomic():
        storing.write(source, reading, now=now)
    return _receipt(reading)


def _require_something(reading: Reading) -> None:
    if reading.refused and not (reading.alerts or reading.changes):
        why = " ".join(reading.problems[:3])
        raise Refused(400, f"Nothing of it can be used: {why}", reason="unusable body")


@contextmanager
def database_or_refusal() -> Iterator[None]:
    """Turn a database that cannot answer or store into a refusal (503) that says so; nothing is acknowledged then."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        what = str(error).strip().partition("\n")[0]
        if getattr(error.__cause__, "sqlstate", None) == DISK_FULL:
            raise Refused(503, f"storage full: {what}", reason="storage full", retry_after=60) from error
        raise Refused(503, f"The delivery could not be stored: {what}", reason="database", retry_after=5) from error


def _receipt(reading: Reading) -> Receipt:
    return Receipt(
        alerts=len(reading.alerts),
        changes=len(reading.changes),
        refused=reading.refused,
        problems=reading.problems,
        ignored=reading.ignored,
        fingerprint=reading.alerts[0].fingerprint if len(reading.alerts) == 1 else "",
    )


def _count_refused(source: AlertSource, reading: Reading, *, now: datetime) -> None:
    if reading.refused:
        what = "changes" if "change" in source.kind or source.kind in ("github", "gitlab", "argocd") else "alerts"
        drops.count(what=what, source=source.name, reason="unusable item", n=reading.refused, now=now)
