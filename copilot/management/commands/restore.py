"""`manage.py restore FILE`: a backup into an empty database, compared with what the backup says of itself."""

import hashlib
import shutil
import tarfile
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from copilot import backups
from copilot.embedded import dumps, running
from copilot.embedded.child import EmbeddedError


class Command(BaseCommand):
    """Ends with status 1 when something is not as it was; the vector index is rebuilt by the workers afterwards."""

    help = "Read a backup into an empty database and compare."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        if running.owner(settings.VAR_DIR) is not None:
            raise CommandError(f"The site runs on {settings.VAR_DIR}. Stop it first: manage.py down")
        try:
            with dumps.served(settings.DATABASE_URL, var=settings.VAR_DIR, is_up=False):
                self._restore(options["file"])
        except (EmbeddedError, OSError, tarfile.TarError, backups.NotABackup) as error:
            raise CommandError(f"{options['file']} was not restored: {error}") from error
        finally:
            connection.close()

    def _restore(self, file: Path) -> None:
        if not backups.is_empty():
            raise CommandError(
                "The database has tables. A backup is restored into an empty one only: nothing is overwritten."
            )
        with tempfile.TemporaryDirectory(prefix="copilot-restore-") as folder, tarfile.open(file) as tar:
            manifest = backups.read(_member(tar, "manifest.json").read().decode())
            dump = Path(folder) / "database.dump"
            with dump.open("wb") as copy:
                shutil.copyfileobj(_member(tar, dump.name), copy)
            with dump.open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != manifest.dump_sha256:
                    raise backups.NotABackup("the dump is damaged: its SHA-256 is not the manifest's.")
            dumps.load(dump, url=settings.DATABASE_URL)
        differing = backups.differences(manifest, audit_key=settings.AUDIT_KEY, secret_key=settings.SECRET_KEY)
        call_command("migrate", interactive=False, verbosity=0)  # a newer version's tables
        for difference in differing:
            self.stderr.write(f"not as it was: {difference}")
        if differing:
            raise CommandError(f"The backup of {manifest.made_at} was read, but {len(differing)} things differ.")
        self.stdout.write(
            f"Restored the backup of {manifest.made_at}: {sum(manifest.rows.values())} rows, "
            f"audit log up to entry {manifest.audit_number}. The workers rebuild the vector index after `manage.py up`."
        )


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """Return a file's content: names, links and modes in the archive then decide nothing. Raises NotABackup."""
    content = tar.extractfile(name) if name in tar.getnames() else None
    if content is None:
        raise backups.NotABackup(f"there is no file {name} in it.")
    return content
