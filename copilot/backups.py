"""What a backup says of itself, so that a restore can be compared with it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime

from django.apps import apps
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model

from copilot import audit

FORMAT = 1


class NotABackup(ValueError):
    """The file is not a backup that this version understands; the text says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Rows by table, the audit log's head, and fingerprints of the keys that are not in the backup."""

    format: int
    made_at: str
    rows: dict[str, int]
    audit_number: int
    audit_hmac: str
    audit_key: str
    secret_key: str
    dump_sha256: str
    with_telemetry: bool
    migrations: int

    def as_json(self) -> str:
        """Return it as the text that goes into the backup."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)


def describe(*, audit_key: str, secret_key: str, dump_sha256: str, with_telemetry: bool, now: datetime) -> Manifest:
    """Return what the database holds in the current transaction."""
    head = audit.newest()
    return Manifest(
        format=FORMAT,
        made_at=now.isoformat(timespec="seconds"),
        rows=row_counts(),
        audit_number=head.number,
        audit_hmac=head.hmac,
        audit_key=fingerprint(audit_key),
        secret_key=fingerprint(secret_key),
        dump_sha256=dump_sha256,
        with_telemetry=with_telemetry,
        migrations=MigrationRecorder.Migration.objects.count(),
    )


def read(text: str) -> Manifest:
    """Return the manifest of a text. Raises NotABackup."""
    try:
        found = Manifest(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise NotABackup(f"The manifest cannot be read: {error}") from error
    if found.format != FORMAT:
        raise NotABackup(f"The backup has format {found.format}, this version reads {FORMAT}.")
    return found


def row_counts() -> dict[str, int]:
    """Return how many rows every table of ours has."""
    return {model._meta.db_table: model._base_manager.count() for model in _models()}


def differences(manifest: Manifest, *, audit_key: str, secret_key: str) -> list[str]:
    """Return in words where the database or the keys differ from the manifest; empty when all is as it was."""
    now = row_counts()
    found = [
        f"{table} has {now.get(table, 0)} rows, the backup had {count}"
        for table, count in sorted(manifest.rows.items())
        if now.get(table, 0) != count
    ]
    head = audit.newest()
    if (head.number, head.hmac) != (manifest.audit_number, manifest.audit_hmac):
        found.append(f"the audit log ends with entry {head.number}, the backup's with {manifest.audit_number}")
    if fingerprint(audit_key) != manifest.audit_key:
        found.append(
            "the audit key is another: put the old var/audit/key back (or COPILOT_AUDIT_KEY), or the log cannot be checked"
        )
    if fingerprint(secret_key) != manifest.secret_key:
        found.append(
            "the secret key is another: put the old var/secret_key back (or SECRET_KEY), or sessions end and signing secrets are lost"
        )
    return found


def is_empty() -> bool:
    """Say whether the database has no table yet."""
    return not connection.introspection.table_names()


def fingerprint(key: str) -> str:
    """Return what tells two keys apart and says nothing of them."""
    return hashlib.sha256(f"fingerprint of {key}".encode()).hexdigest()[:16]


def _models() -> list[type[Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
