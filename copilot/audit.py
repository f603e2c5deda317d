"""The audit log's seal: an HMAC chain over its entries, its head kept in a file outside the database, and the check of both.

An entry's HMAC is HMAC-SHA256(key, HMAC of the entry before || canonical JSON of the entry), so a changed, missing, added or moved
entry breaks the chain where it happened; a missing end is seen by comparing with the head. The key is not in the database.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import connection, transaction

from copilot.models import AuditEntry

BATCH = 500
LOCK = 0x41554449  # of the advisory lock: one seals at a time
START = "0" * 64  # what stands before the first entry
HEAD_BYTES = 10_000_000  # then a new head file is begun, the old one kept beside it
LATE = timedelta(minutes=1)  # an entry that waits longer for its seal is worth a word


@dataclass(frozen=True, slots=True)
class Head:
    """The chain's newest entry; number 0 when there is none."""

    number: int
    hmac: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `first_bad` is the number where the chain breaks, None when it holds; `problem` says how."""

    head: Head
    unsealed: int
    oldest_unsealed_at: datetime | None
    first_bad: int | None = None
    problem: str = ""


def seal(*, key: str) -> Head | None:
    """Seal up to 500 waiting entries in the order they were written and return the new head; None when there was nothing to do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return None
        waiting = list(AuditEntry.objects.filter(number=None).order_by("pk")[:BATCH])
        if not waiting:
            return None
        head = newest()
        sealed: list[tuple[int, str, int]] = []
        for entry in waiting:
            entry.number = head.number + 1
            head = Head(entry.number, _hmac(entry, before=head.hmac, key=key))
            sealed.append((head.number, head.hmac, entry.pk))
        cursor.executemany("UPDATE copilot_auditentry SET number = %s, hmac = %s WHERE id = %s", sealed)
    return head


def newest() -> Head:
    """Return the chain's head as the database has it."""
    last = AuditEntry.objects.filter(number__isnull=False).order_by("-number").values_list("number", "hmac").first()
    return Head(last[0] or 0, last[1]) if last else Head(0, START)


def verify(*, key: str, kept: Mapping[int, str]) -> Finding:
    """Go through the whole chain and return where it first breaks. `kept` is what the head file says: number → HMAC."""
    head, problem = Head(0, START), ""
    for entry in AuditEntry.objects.filter(number__isnull=False).order_by("number").iterator(chunk_size=2000):
        if problem := _why_broken(entry, head=head, key=key, kept=kept):
            break
        head = Head(entry.number or 0, entry.hmac)
    if not problem and (last := max(kept, default=0)) > head.number:
        problem = f"The end is missing: the head file knows entry {last}, the database ends with {head.number}."
    unsealed = AuditEntry.objects.filter(number=None)
    return Finding(
        head=head,
        unsealed=unsealed.count(),
        oldest_unsealed_at=unsealed.order_by("at").values_list("at", flat=True).first(),
        first_bad=head.number + 1 if problem else None,
        problem=problem,
    )


def read_heads(lines: Iterable[str]) -> dict[int, str]:
    """Return number → HMAC of a head file's lines. Raises ValueError naming the line that is none."""
    heads: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        try:
            said = json.loads(line)
            heads[int(said["number"])] = str(said["hmac"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"Line {number} is not a head: {line.strip()[:80]!r}") from error
    return heads


def keep_head(file: Path, head: Head, *, now: datetime) -> None:
    """Append the head to a file outside the database, for its owner only. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if file.exists() and file.stat().st_size > HEAD_BYTES:
        file.replace(file.with_suffix(f".{now:%Y%m%dT%H%M%S}.log"))
    file.touch(mode=0o600)
    line = json.dumps({"at": now.isoformat(timespec="seconds"), "number": head.number, "hmac": head.hmac})
    with file.open("a", encoding="utf-8") as heads:
        heads.write(line + "\n")


def _why_broken(entry: AuditEntry, *, head: Head, key: str, kept: Mapping[int, str]) -> str:
    """Return how the entry does not follow the head, "" when it does."""
    expected = head.number + 1
    if entry.number != expected:
        return f"Entry {expected} is missing: after {head.number} comes {entry.number}."
    if not hmac.compare_digest(_hmac(entry, before=head.hmac, key=key), entry.hmac):
        return f"Entry {expected} is not what was sealed, or was sealed with another key: {entry}."
    if not hmac.compare_digest(kept.get(expected, entry.hmac), entry.hmac):
        return f"Entry {expected} differs from the head file: the chain was sealed anew up to there or beyond."
    return ""


def _hmac(entry: AuditEntry, *, before: str, key: str) -> str:
    said = {
        "number": entry.number,
        "id": entry.pk,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "table": entry.table,
        "row_id": entry.row_id,
        "action": entry.action,
        "before": entry.before,
        "after": entry.after,
    }
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key.encode(), (before + canonical).encode(), hashlib.sha256).hexdigest()
