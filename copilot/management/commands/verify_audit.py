"""`manage.py verify_audit`: whether the audit log is what was written."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from copilot import audit


class Command(BaseCommand):
    """Ends with status 1 at the first entry that was changed, removed or added, or when the end is missing."""

    help = "Check the audit log's chain against the key and the kept head."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head", type=Path, help=f"a kept head file (default: {settings.AUDIT_HEAD_FILE}, if it is there)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = audit.verify(key=settings.AUDIT_KEY, kept=self._kept(options["head"]))
        if found.oldest_unsealed_at and timezone.now() - found.oldest_unsealed_at > audit.LATE:
            self.stderr.write(
                f"{found.unsealed} entries wait for their seal, the oldest since {found.oldest_unsealed_at:%Y-%m-%d %H:%M:%S} UTC: "
                "the relay seals; does it run?"
            )
        if found.first_bad is not None:
            raise CommandError(f"The audit log is broken at entry {found.first_bad}. {found.problem}")
        self.stdout.write(
            f"The audit log holds: {found.head.number} entries, head {found.head.hmac[:16]}…, {found.unsealed} not sealed yet."
        )

    def _kept(self, given: Path | None) -> dict[int, str]:
        file: Path = given or settings.AUDIT_HEAD_FILE
        if given is None and not file.exists():
            self.stderr.write(f"There is no head file {file}: whether the end is missing cannot be seen.")
            return {}
        try:
            with file.open(encoding="utf-8") as lines:
                return audit.read_heads(lines)
        except (OSError, ValueError) as error:
            raise CommandError(f"{file} cannot be read as a head file: {error}") from error
