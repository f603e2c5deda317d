"""manage.py import_runbooks: runbooks and postmortems from folders of Markdown."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.module_loading import import_string

from runbooks.importing import ImportFailed, import_folder
from runbooks.models import Document


class Command(BaseCommand):
    """Import a folder: its runbooks/ and postmortems/ if it has them, else itself."""

    help = "Imports runbooks and postmortems (Markdown files) from a folder; unchanged files make no new revision."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the folder and what its files are."""
        parser.add_argument("folder", type=Path, help="holds .md files, or the folders runbooks and postmortems")
        parser.add_argument(
            "--kind",
            choices=Document.Kind.values,
            default=Document.Kind.RUNBOOK,
            help="what the folder's own files are",
        )
        parser.add_argument("--draft", action="store_true", help="leave them as drafts for a person to approve")

    def handle(self, *, folder: Path, kind: str, draft: bool, **_: Any) -> None:
        """Import and say what became of each file."""
        sub_folders: dict[str, Path] = {
            Document.Kind.RUNBOOK: folder / "runbooks",
            Document.Kind.POSTMORTEM: folder / "postmortems",
        }
        wanted = {sub_kind: sub for sub_kind, sub in sub_folders.items() if sub.is_dir()} or {kind: folder}
        mask = import_string(settings.TEXT_MASK)
        for folder_kind, path in wanted.items():
            try:
                report = import_folder(path, kind=folder_kind, now=timezone.now(), mask=mask, approve=not draft)
            except ImportFailed as error:
                raise CommandError(str(error)) from error
            self.stdout.write(
                f"{path}: {len(report.created)} new, {len(report.revised)} revised, {len(report.unchanged)} unchanged, {len(report.refused)} refused"
            )
            for refusal in report.refused:
                self.stderr.write(f"  {refusal}")
