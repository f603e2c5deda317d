"""Attached files as rows: kept masked, and what they show pinned beside an incident's evidence."""

import gzip
import hashlib
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from copilot import events
from copilot.evidence import bundle as bundles
from copilot.evidence.attached import files, gather
from copilot.evidence.attached.files import AttachedFile, UnreadableFile
from copilot.evidence.bundle import EvidenceBundle
from copilot.models import Attachment
from copilot.privacy import vault
from incidents.intake import masking, outbox
from incidents.models import Incident, Investigation, TimelineEntry

MOST_FILES = 20  # of an incident
MOST_KEPT_BYTES = 20_000_000  # of a file, packed


def attach(incident: Incident, *, name: str, content: bytes, by: User, now: datetime) -> Attachment:
    """Keep a file with an incident and have it read; one with the same text is kept once. Raises UnreadableFile."""
    read = files.read(name, content, mask=masking.mask)
    text = "\n".join(read.lines).encode()
    packed = gzip.compress(text, compresslevel=6, mtime=0)
    if len(packed) > MOST_KEPT_BYTES:
        raise UnreadableFile(
            f"{read.name} is too large to keep ({len(packed) / 1e6:.0f} MB packed). Attach a part of it."
        )
    values = {
        "text": packed,
        "line_count": len(read.lines),
        "note": read.cut,
        "added_by": by,
        "added_at": now,
    }
    with transaction.atomic():
        Incident.objects.select_for_update().get(pk=incident.pk)
        if incident.attachments.count() >= MOST_FILES:
            raise UnreadableFile(f"{MOST_FILES} files are attached already; no more are taken for one incident.")
        taken = set(incident.attachments.values_list("name", flat=True))
        kept, is_new = Attachment.objects.get_or_create(
            incident=incident,
            sha256=hashlib.sha256(text).hexdigest(),
            defaults={**values, "name": files.free_name(read.name, taken)},
        )
        if is_new:
            said = f"{by.get_username()} attached {kept.name} ({len(read.lines):,} lines)"
            TimelineEntry.objects.create(
                incident=incident, kind=TimelineEntry.Kind.PERSON, happened_at=now, known_at=now, text=said
            )
            outbox.enqueue(task="copilot.tasks.read_attachments", arguments=[incident.pk], queue="investigate")
            events.publish(incident_id=incident.pk, kind="timeline.added", payload={})
    return kept


def lines_of(attachment: Attachment) -> tuple[str, ...]:
    """Return the file's masked lines."""
    return tuple(gzip.decompress(bytes(attachment.text)).decode().split("\n"))


def pin(incident_id: int, *, question: str = "", now: datetime) -> EvidenceBundle | None:
    """Add what the incident's files show, and what a question asks of them, to its evidence, and return that; None while there is none.

    Safe to repeat: what is there keeps its id.
    """
    attached = list(Attachment.objects.filter(incident_id=incident_id).order_by("pk"))
    read = gather.digest([AttachedFile(each.name, lines_of(each), each.note) for each in attached])
    with transaction.atomic():
        # The incident first, as everybody locks who publishes an event.
        Incident.objects.select_for_update().only("pk").get(pk=incident_id)
        investigation = Investigation.objects.select_for_update().filter(incident_id=incident_id).first()
        if investigation is None or not investigation.evidence:
            return None
        before = bundles.from_json(investigation.evidence)
        if not attached:
            return before
        after = gather.beside(before, read, question, now=now, pseudonyms=vault.of_incident(incident_id))
        if {item.id for item in after.items} != {item.id for item in before.items}:
            Investigation.objects.filter(pk=investigation.pk).update(evidence=bundles.to_json(after))
            events.publish(incident_id=incident_id, kind="investigation.ready", payload={})
    return after
