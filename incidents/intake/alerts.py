"""Takes a delivery of alerts or changes in: everything it says is committed with the raw bytes and the task that goes on with it, or nothing."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, InterfaceError, transaction

from incidents.intake import alert_rows, changes, drops, formats, outbox, statements
from incidents.intake.documents import MARK, MalformedDocument, clean
from incidents.intake.formats import Delivery
from incidents.intake.notices import Reading, UnusableDelivery
from incidents.intake.refusals import Refused
from incidents.models import AlertSource

MOST_BYTES = 1024 * 1024
A_MESSAGE = 100  # alert ids
DISK_FULL = "53100"
KEEP_RAW = """
    INSERT INTO incidents_rawevent (source_id, delivery_id, received_at, content_type, body, alerts, problem, times)
    VALUES (%s, %s, %s, %s, %s, %s, %s, 1)
    ON CONFLICT (source_id, delivery_id) DO UPDATE SET
        times = incidents_rawevent.times + 1,
        received_at = greatest(incidents_rawevent.received_at, excluded.received_at)
    RETURNING id, times
"""


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
            _keep_unusable(source, delivery, problem=str(unusable), now=now)
            raise Refused(400, str(unusable), reason="unusable body") from unusable
        if reading.refused and not (reading.alerts or reading.changes):
            _keep_unusable(source, delivery, problem="\n".join(reading.problems), now=now)
            _count_refused(source, reading, now=now)
        _require_something(reading)
        with transaction.atomic():
            receipt = _store(source, delivery, reading, now=now)
    if not receipt.is_duplicate:
        _count_refused(source, reading, now=now)
    drops.write_due(now=now)
    return receipt


def read_again(source: AlertSource, delivery: Delivery, *, now: datetime) -> Receipt:
    """Take in again what was kept of a delivery, for example because the mapping has been corrected. Raises Refused (400)."""
    try:
        reading = formats.read(source.kind, delivery, mapping=source.mapping, now=now)
    except (MalformedDocument, UnusableDelivery) as unusable:
        raise Refused(400, str(unusable), reason="unusable body") from unusable
    _require_something(reading)
    with transaction.atomic():
        _write(source, reading, now=now)
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


def _store(source: AlertSource, delivery: Delivery, reading: Reading, *, now: datetime) -> Receipt:
    problem = "\n".join(reading.problems) or reading.ignored
    _, times = _keep_raw(source, delivery, items=len(reading.alerts) + len(reading.changes), problem=problem, now=now)
    if delivery.id and times > 1:
        return Receipt(is_duplicate=True)
    _write(source, reading, now=now)
    return _receipt(reading)


def _write(source: AlertSource, reading: Reading, *, now: datetime) -> None:
    if reading.alerts:
        ids = alert_rows.write(source.pk, reading.alerts, now=now)
        for start in range(0, len(ids), A_MESSAGE):
            outbox.enqueue(task=outbox.MERGED, arguments=[ids[start : start + A_MESSAGE]], queue="detect")
    if reading.changes:
        changes.write(source.name, reading.changes, now=now)


def _receipt(reading: Reading) -> Receipt:
    return Receipt(
        alerts=len(reading.alerts),
        changes=len(reading.changes),
        refused=reading.refused,
        problems=reading.problems,
        ignored=reading.ignored,
        fingerprint=reading.alerts[0].fingerprint if len(reading.alerts) == 1 else "",
    )


def _keep_raw(source: AlertSource, delivery: Delivery, *, items: int, problem: str, now: datetime) -> tuple[int, int]:
    """Keep the bytes; return the row's id and how often it came."""
    known_by = clean(delivery.id, most_bytes=200) or f"sha256:{hashlib.sha256(delivery.body).hexdigest()}"
    content_type = clean(delivery.content_type, most_bytes=100)
    values = [source.pk, known_by, now, content_type, delivery.body, items, clean(problem, most_bytes=4_000)]
    [(id_, times)] = statements.run(KEEP_RAW, values)
    return id_, times


def _keep_unusable(source: AlertSource, delivery: Delivery, *, problem: str, now: datetime) -> None:
    _keep_raw(source, delivery, items=0, problem=problem.replace("\x00", MARK), now=now)


def _count_refused(source: AlertSource, reading: Reading, *, now: datetime) -> None:
    if reading.refused:
        what = "changes" if "change" in source.kind or source.kind in ("github", "gitlab", "argocd") else "alerts"
        drops.count(what=what, source=source.name, reason="unusable item", n=reading.refused, now=now)
