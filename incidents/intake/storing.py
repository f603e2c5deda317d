"""Stores what deliveries say, each with its raw bytes and task in one transaction; those that come at the same moment share one.

Under a flood most of a small transaction's time goes into waiting for the disk and for the row that all want. So one thread of a
process writes for all that wait, as databases themselves commit in groups; alone, a delivery is written at once.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connection, transaction

from incidents.intake import alert_rows, changes, outbox, statements
from incidents.intake.documents import MARK, clean
from incidents.intake.formats import Delivery
from incidents.intake.notices import MOST_ALERTS, Reading
from incidents.models import AlertSource

A_MESSAGE = 100  # alert ids
TOGETHER = 100  # deliveries in one transaction
KEEP_RAW = """
    INSERT INTO incidents_rawevent (source_id, delivery_id, received_at, content_type, event, body, alerts, problem, times)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (source_id, delivery_id) DO UPDATE SET
        times = incidents_rawevent.times + excluded.times,
        received_at = greatest(incidents_rawevent.received_at, excluded.received_at)
    RETURNING times
"""
Failure = DatabaseError | InterfaceError


@dataclass
class _Job:
    """One delivery that waits to be written, and then how that went."""

    source: AlertSource
    delivery: Delivery
    reading: Reading
    now: datetime
    is_new: bool | None = None  # None until it is written
    failure: Failure | None = None

    @property
    def is_done(self) -> bool:
        return self.is_new is not None or self.failure is not None

    @property
    def can_share(self) -> bool:
        """Whether the order among others does not matter: it has no id that may have come before, and its events have times of their own."""
        reading = self.reading
        return not self.delivery.id and not reading.changes and all(alert.at is not None for alert in reading.alerts)


@dataclass
class _Line:
    """The deliveries of this process that wait, and the right to write them."""

    waiting: deque[_Job] = field(default_factory=deque)
    guard: threading.Lock = field(default_factory=threading.Lock)
    writing: threading.Lock = field(default_factory=threading.Lock)

    def next_batch(self) -> list[_Job]:
        """Take the first that waits, and as many behind it as may share its transaction."""
        with self.guard:
            batch: list[_Job] = []
            alerts = 0
            while self.waiting and len(batch) < TOGETHER:
                alerts += len(self.waiting[0].reading.alerts)
                if batch and (not batch[0].can_share or not self.waiting[0].can_share or alerts > MOST_ALERTS):
                    break
                batch.append(self.waiting.popleft())
            return batch


_line = _Line()


def store(source: AlertSource, delivery: Delivery, reading: Reading, *, now: datetime) -> bool:
    """Commit what a delivery says and return True; False when one with its id came before. Raises DatabaseError and InterfaceError."""
    job = _Job(source, delivery, reading, now)
    if not connection.in_atomic_block:
        connection.close()  # back to the pool: who waits here with one would keep it from the thread that writes
    with _line.guard:
        _line.waiting.append(job)
    with _line.writing:
        while not job.is_done:
            _write_batch(_line.next_batch() or [job])
    if job.failure is not None:
        raise job.failure
    return bool(job.is_new)


def keep_unusable(source: AlertSource, delivery: Delivery, *, problem: str, now: datetime) -> None:
    """Keep the bytes of a delivery that nothing could be made of, and why."""
    _keep_raw(source, delivery, items=0, problem=problem.replace("\x00", MARK), times=1, now=now)


def write(source: AlertSource, reading: Reading, *, now: datetime) -> None:
    """Write alerts and changes and ask for what goes on with them. Must be called within a transaction."""
    if reading.alerts:
        ids = alert_rows.write(source.pk, reading.alerts, now=now)
        for start in range(0, len(ids), A_MESSAGE):
            outbox.enqueue(task=outbox.MERGED, arguments=[ids[start : start + A_MESSAGE]], queue="detect")
    if reading.changes:
        changes.write(source.name, reading.changes, now=now)


def _write_batch(batch: Sequence[_Job]) -> None:
    """Write the jobs in one transaction; when that fails for what one of them says, each in its own."""
    try:
        with transaction.atomic():
            outcomes = [_write_one(batch[0])] if len(batch) == 1 else _write_together(batch)
    except (DataError, IntegrityError) as error:
        if len(batch) > 1:
            for job in batch:
                _write_batch([job])
            return
        batch[0].failure = error
    except (DatabaseError, InterfaceError) as error:
        for job in batch:
            job.failure = error
    else:
        for job, is_new in zip(batch, outcomes, strict=True):
            job.is_new = is_new


def _write_one(job: _Job) -> bool:
    times = _keep(job, times=1)
    if job.delivery.id and times > 1:
        return False
    write(job.source, job.reading, now=job.now)
    return True


def _write_together(batch: Sequence[_Job]) -> list[bool]:
    """Write deliveries without ids: the same bytes are one raw row, and each source's alerts one upsert. All are new."""
    by_source: dict[int, list[_Job]] = {}
    for job in batch:
        by_source.setdefault(job.source.pk, []).append(job)
    for _, jobs in sorted(by_source.items()):  # in the same order in every process, so that none waits for each other
        same: dict[str, list[_Job]] = {}
        for job in jobs:
            same.setdefault(_known_by(job.delivery), []).append(job)
        for _, copies in sorted(same.items()):
            _keep(copies[-1], times=len(copies))
        alerts = tuple(alert for job in jobs for alert in job.reading.alerts)
        write(jobs[0].source, Reading(alerts), now=max(job.now for job in jobs))
    return [True] * len(batch)


def _keep(job: _Job, *, times: int) -> int:
    reading = job.reading
    problem = "\n".join(reading.problems) or reading.ignored
    items = len(reading.alerts) + len(reading.changes)
    return _keep_raw(job.source, job.delivery, items=items, problem=problem, times=times, now=job.now)


def _keep_raw(source: AlertSource, delivery: Delivery, *, items: int, problem: str, times: int, now: datetime) -> int:
    """Keep the bytes; return how often they came."""
    content_type = clean(delivery.content_type, most_bytes=100)
    event = clean(delivery.event, most_bytes=60)
    said = clean(problem, most_bytes=4_000)
    values = [source.pk, _known_by(delivery), now, content_type, event, delivery.body, items, said, times]
    [(came,)] = statements.run(KEEP_RAW, values)
    return int(came)


def _known_by(delivery: Delivery) -> str:
    """Return the sender's id of a delivery, or what its bytes are known by."""
    return clean(delivery.id, most_bytes=200) or f"sha256:{hashlib.sha256(delivery.body).hexdigest()}"
