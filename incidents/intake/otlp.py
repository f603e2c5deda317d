"""Takes OTLP export requests in: bounded decompression, decoding, masking, storing. Returns only after commit."""

import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from incidents.intake import tagging
from incidents.intake.masking import mask
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import TelemetryBatch, to_ns
from incidents.telemetry.otlp import Decoded, Encoding, MalformedOtlp, Signal, decode
from incidents.telemetry.store import HotStore, StorageFull

ENCODINGS: dict[str, Encoding] = {"application/json": "json", "application/x-protobuf": "protobuf"}
AHEAD = timedelta(days=1)  # clocks that differ by hours still send usable telemetry
MOST_AT_ONCE = 16  # requests being worked on in one process; more are asked to come back
GZIP = 16 + zlib.MAX_WBITS
_places = threading.BoundedSemaphore(MOST_AT_ONCE)
Record = TypeVar("Record")


@dataclass(frozen=True)
class Receipt:
    """What became of a request: how many records were refused, and why the first one was. The others are committed."""

    rejected: int
    reason: str


class RefusedRequest(Exception):
    """Nothing of the request was kept. `status` is HTTP's; with `retry_after` seconds the sender should try again, else never."""

    def __init__(self, status: int, message: str, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


def encoding_of(content_type: str) -> Encoding:
    """Return the encoding that a Content-Type names. Raises RefusedRequest (415)."""
    encoding = ENCODINGS.get(content_type.partition(";")[0].strip().lower())
    if encoding is None:
        raise RefusedRequest(
            415, f"Content-Type {content_type[:80]!r} is not supported: send {' or '.join(ENCODINGS)}."
        )
    return encoding


def receive(signal: Signal, body: bytes, *, encoding: Encoding, compression: str, now: datetime) -> Receipt:
    """Store one export request; every record that is not counted as rejected is committed when this returns. Raises RefusedRequest."""
    if not _places.acquire(blocking=False):
        raise RefusedRequest(
            429, f"{MOST_AT_ONCE} requests are being stored already; send this one again.", retry_after=1
        )
    try:
        return _receive(signal, inflate(body, compression=compression), encoding=encoding, now=now)
    finally:
        _places.release()


def _receive(signal: Signal, body: bytes, *, encoding: Encoding, now: datetime) -> Receipt:
    try:
        decoded = decode(signal, body, encoding=encoding, mask=mask)
    except MalformedOtlp as malformed:
        raise RefusedRequest(400, str(malformed)) from malformed
    kept = within_retention(decoded.batch, now=now)
    try:
        tagging.remember(decoded.tags, now=now)
        hot_store(settings.DATABASE_URL).write(Decoded(kept, decoded.tags, decoded.versions))
    except StorageFull as full:
        raise RefusedRequest(503, f"storage full: {full}", retry_after=60) from full
    except (TelemetryError, DatabaseError, InterfaceError) as failed:
        raise RefusedRequest(503, f"The telemetry could not be stored: {failed}", retry_after=5) from failed
    return Receipt(kept.rejected, kept.reason)


@lru_cache(maxsize=2)
def hot_store(dsn: str) -> HotStore:
    """Return the live store, which remembers between requests what it has already created."""
    return HotStore(dsn)


def inflate(body: bytes, *, compression: str) -> bytes:
    """Return the body decompressed, never more than COPILOT_OTLP_MAX_BYTES of it. Raises RefusedRequest (400, 413, 415)."""
    limit = settings.OTLP_MAX_BYTES
    compression = compression.strip().lower()
    if compression in ("", "identity"):
        if len(body) > limit:
            raise RefusedRequest(413, f"The body has {len(body)} bytes; at most {limit} are taken.")
        return body
    if compression != "gzip":
        raise RefusedRequest(415, f"Content-Encoding {compression[:40]!r} is not supported: send gzip or none.")
    parts: list[bytes] = []
    length = 0
    while body:  # a gzip file may have several members
        member = zlib.decompressobj(GZIP)
        try:
            part = member.decompress(body, limit - length + 1)
        except zlib.error as error:
            raise RefusedRequest(400, f"The body is not gzip: {error}.") from error
        length += len(part)
        parts.append(part)
        if length > limit:
            raise RefusedRequest(413, f"The body is longer than {limit} bytes after decompression.")
        if not member.eof:
            raise RefusedRequest(400, f"The gzip body is cut short after {length} bytes of content.")
        body = member.unused_data
    return b"".join(parts)


def within_retention(batch: TelemetryBatch, *, now: datetime) -> TelemetryBatch:
    """Return the batch without records that are older than the store's retention or more than a day ahead; they count as rejected."""
    low, high = to_ns(now - settings.HOT_STORE_RETENTION), to_ns(now + AHEAD)

    def kept(
        records: Sequence[Record], first: Callable[[Record], int], last: Callable[[Record], int]
    ) -> Sequence[Record]:
        if all(low <= first(record) and last(record) <= high for record in records):
            return records
        return [record for record in records if low <= first(record) and last(record) <= high]

    spans = kept(batch.spans, lambda s: s.start_ns, lambda s: s.start_ns + s.duration_ns)
    logs = kept(batch.logs, lambda r: r.time_ns, lambda r: r.time_ns)
    points = kept(batch.points, lambda p: p.time_ns, lambda p: p.time_ns)
    outside = len(batch.spans) + len(batch.logs) + len(batch.points) - len(spans) - len(logs) - len(points)
    hours = settings.HOT_STORE_RETENTION.total_seconds() / 3_600
    reason = batch.reason or (
        f"its time is more than {hours:g} h ago or more than a day ahead of this server's clock" if outside else ""
    )
    return TelemetryBatch(spans, logs, points, batch.rejected + outside, reason)
