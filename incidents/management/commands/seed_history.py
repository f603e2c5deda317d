"""Writes a made-up year of incidents for trying the board and the trends, or removes it. Everything of it is marked as demo data."""

from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from incidents.history import writing
from incidents.trends import noise


class Command(BaseCommand):
    help = (
        "Write a made-up year of incidents for trying the board and the trends (all marked as demo data), or remove it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=365, help="how far back it goes (default 365)")
        parser.add_argument("--incidents", type=int, default=400, help="how many incidents (default 400)")
        parser.add_argument("--seed", type=int, default=1, help="another number makes another year (default 1)")
        parser.add_argument("--remove", action="store_true", help="remove everything made up")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["remove"]:
            self.stdout.write(f"Removed {writing.remove()} made-up incidents and all that belonged to them.")
            return
        self._write(days=options["days"], incidents=options["incidents"], seed=options["seed"], now=timezone.now())

    def _write(self, *, days: int, incidents: int, seed: int, now: datetime) -> None:
        try:
            written = writing.write(days=days, incidents=incidents, seed=seed, now=now)
        except writing.HistoryRefused as refused:
            raise CommandError(str(refused)) from refused
        noise.add_up(now=now, since=(now - timedelta(days=days)).date())
        self.stdout.write(
            f"Wrote {written.incidents} incidents and {written.alerts} alerts that fired {written.firings} times, all marked as demo data.\n"
            "See /incidents/ and /trends/?demo=1; remove them with: manage.py seed_history --remove"
        )
