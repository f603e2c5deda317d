"""`manage.py backup FILE`: everything that cannot be made anew, in one file."""

import hashlib
import io
import os
import tarfile
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone

from copilot import backups
from copilot.embedded import dumps, running
from copilot.embedded.child import EmbeddedError


class Command(BaseCommand):
    """Works while the site runs: the dump and its description are one moment's."""

    help = "Write the database and a description of it to one file."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="where to; must not be there yet")
        parser.add_argument("--without-telemetry", action="store_true", help="leave stored logs, metrics and spans out")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        if file.exists():
            raise CommandError(f"{file} is there already. Choose another name: a backup never overwrites one.")
        is_up = running.owner(settings.VAR_DIR) is not None
        try:
            with dumps.served(settings.DATABASE_URL, var=settings.VAR_DIR, is_up=is_up):
                manifest = self._write(file, with_telemetry=not options["without_telemetry"])
        except (EmbeddedError, OSError) as error:
            raise CommandError(str(error)) from error
        finally:
            connection.close()
        self.stdout.write(
            f"{file}: {file.stat().st_size / 1e6:.1f} MB, {sum(manifest.rows.values())} rows, "
            f"audit log up to entry {manifest.audit_number}.\n"
            f"Not in it: the keys. Keep {settings.VAR_DIR / 'secret_key'} and {settings.VAR_DIR / 'audit'} elsewhere, too."
        )

    def _write(self, file: Path, *, with_telemetry: bool) -> backups.Manifest:
        with tempfile.TemporaryDirectory(dir=file.resolve().parent, prefix=".backup-") as folder:
            dump = Path(folder) / "database.dump"
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("SET LOCAL statement_timeout = 0")
                cursor.execute("SELECT pg_export_snapshot()")
                dumps.dump(settings.DATABASE_URL, to=dump, snapshot=cursor.fetchone()[0], with_telemetry=with_telemetry)
                manifest = backups.describe(
                    audit_key=settings.AUDIT_KEY,
                    secret_key=settings.SECRET_KEY,
                    dump_sha256=_sha256(dump),
                    with_telemetry=with_telemetry,
                    now=timezone.now(),
                )
            packed = Path(folder) / "backup.tar"
            packed.touch(mode=0o600)
            with tarfile.open(packed, "w") as tar:
                text = manifest.as_json().encode()
                entry = tarfile.TarInfo("manifest.json")
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))
                tar.add(dump, "database.dump")
            os.link(packed, file)  # whole or not there, and never over another
        return manifest


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
