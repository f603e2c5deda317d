"""`manage.py demo`: starts everything, replays a recorded outage, and says where to look."""

import secrets
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

from copilot import replay as replays
from copilot import signin
from copilot.embedded import running
from incidents.intake.masking import mask
from incidents.models import Incident, Investigation
from incidents.telemetry.backend import TelemetryError
from runbooks import importing
from runbooks.models import Document, Revision

RECORDINGS = settings.BASE_DIR / "demo" / "recordings"
KNOWLEDGE = settings.BASE_DIR / "demo" / "knowledge"
DEFAULT = "leaked-connection-pool"
USERNAME = "demo"
EMBEDDING_SECONDS = 90.0


class Command(BaseCommand):
    """In the foreground until Ctrl-C, which stops everything; with --detach `manage.py down` does."""

    help = "Start everything, replay a recorded outage of the demo shop, and print where to look and how to sign in."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "name", nargs="?", default=DEFAULT, help=f"one of {', '.join(_names()) or 'demo/recordings'}"
        )
        parser.add_argument(
            "--live", action="store_true", help="run the shop itself; the fault begins after a quiet period"
        )
        parser.add_argument("--quiet-minutes", type=float, default=5.0, help="with --live: minutes before the fault")
        parser.add_argument("--detach", action="store_true", help="return when it is ready; `manage.py down` stops it")
        parser.add_argument("--port", type=int, help="the site's port (default: COPILOT_PORT, 8000)")
        parser.add_argument(
            "--no-llm", action="store_true", help="no language model: the brief and computed answers only"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if name not in _names():
            raise CommandError(f"There is no recording {name!r}. Choose one of {', '.join(_names())}.")
        # Also when started in the background, where a shell has SIGINT ignored, and by a service manager, which sends SIGTERM.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        try:
            self._run(name, options)
        except KeyboardInterrupt:
            if running.owner(settings.VAR_DIR):
                call_command("down", stdout=self.stdout)

    def _run(self, name: str, options: dict[str, Any]) -> None:
        if not running.owner(settings.VAR_DIR):
            call_command("up", detach=True, port=options["port"], no_llm=options["no_llm"], stdout=self.stdout)
        state = running.read_state(settings.VAR_DIR)
        site = state.url if state else f"http://{settings.WEB_HOST}:{options['port'] or settings.WEB_PORT}"
        self._learn()
        incident = None if options["live"] else self._replay(RECORDINGS / name)
        self._say_where(site.rstrip("/"), incident)
        if options["live"]:
            self._run_shop(site, fault=name, quiet_seconds=options["quiet_minutes"] * 60)
        elif not options["detach"]:
            self._wait()

    def _learn(self) -> None:
        """Import the runbooks and postmortems, and wait until they are embedded: a search by words works before that, too."""
        now = timezone.now()
        for kind in (Document.Kind.RUNBOOK, Document.Kind.POSTMORTEM):
            importing.import_folder(KNOWLEDGE / f"{kind.value}s", kind=kind, mask=mask, approve=True, now=now)
        waiting = Revision.objects.filter(state=Revision.State.APPROVED, indexed_at=None, failure="")
        until = time.monotonic() + EMBEDDING_SECONDS
        began = time.monotonic()
        while waiting.exists() and time.monotonic() < until:
            time.sleep(0.3)
        left = waiting.count()
        state = f"{left} still to embed; searched by words meanwhile" if left else "embedded"
        self.stdout.write(
            f"Runbooks and postmortems: {Revision.objects.count()} {state}, {time.monotonic() - began:.1f} s"
        )

    def _replay(self, folder: Path) -> Incident:
        try:
            found = replays.replay(folder, now=timezone.now(), shift_to_now=True)
        except TelemetryError as error:
            raise CommandError(str(error)) from error
        if not found.incidents:
            raise CommandError(
                f"The recording {folder.name} opened no incident. `manage.py replay {folder}` shows what was seen."
            )
        seconds = ", ".join(f"{name} {took:.1f} s" for name, took in found.stage_seconds.items())
        self.stdout.write(f"Replayed {folder.name}: {found.records:,} records; {seconds}")
        return found.incidents[0]

    def _say_where(self, site: str, incident: Incident | None) -> None:
        users = get_user_model()
        user, _ = users.objects.get_or_create(username=USERNAME, defaults={"is_staff": True, "is_superuser": True})
        password = secrets.token_urlsafe(12)
        user.set_password(password)
        user.save()
        page = reverse("incident-page", args=[incident.pk]) if incident else reverse("incident-list")
        link = signin.create_link(user, now=timezone.now())
        self.stdout.write(
            f"\n  {incident or 'Nothing is wrong yet: the incident will open by itself, some minutes from now.'}\n\n"
            f"  Open      {site}{link}?next={page}\n"
            f"            (signs you in once, within 24 hours)\n"
            f"  or        {site}{page}\n"
            f"            as {USERNAME} with password {password}\n"
        )

    def _run_shop(self, site: str, *, fault: str, quiet_seconds: float) -> None:
        from demo.shop.run import ShopFailed, ShopSettings, run_shop

        self.stdout.write("The shop starts. Press Ctrl-C to stop everything.")
        story = Story(fault, quiet=timedelta(seconds=quiet_seconds), site=site.rstrip("/"), say=self.stdout.write)
        try:
            run_shop(
                ShopSettings(endpoint=site, database_url=settings.DATABASE_URL, redis_url=settings.REDIS_URL),
                fault=fault,
                quiet_seconds=quiet_seconds,
                stop=threading.Event(),
                each_second=lambda broken: story.go_on(seconds_broken=broken, now=timezone.now()),
            )
        except ShopFailed as error:
            raise CommandError(f"{error} The co-pilot runs on; `manage.py down` stops it.") from error

    def _wait(self) -> None:
        self.stdout.write("Press Ctrl-C to stop everything.")
        while running.owner(settings.VAR_DIR):
            time.sleep(1)


class Story:
    """Tells, a line for each thing that happens, what the live demo does and what the co-pilot makes of it."""

    def __init__(self, fault: str, *, quiet: timedelta, site: str, say: Callable[[str], object]) -> None:
        self._fault = fault
        self._quiet = quiet
        self._site = site
        self._say = say
        self._began_at: datetime | None = None
        self._is_broken = False
        self._opened: set[int] = set()
        self._explained: set[int] = set()

    def go_on(self, *, seconds_broken: float | None, now: datetime) -> None:
        """Tell what is new since the last call; `seconds_broken` is how long the fault has been on, None before."""
        if self._began_at is None:
            self._began_at = now
            self._say(
                f"{now:%H:%M:%S} UTC  The shop runs and sells. All is well until {now + self._quiet:%H:%M:%S} UTC: in these "
                f"{self._quiet.total_seconds() / 60:g} minutes the co-pilot learns what is usual."
            )
        if seconds_broken is not None and not self._is_broken:
            self._is_broken = True
            self._say(f"{now:%H:%M:%S} UTC  Now {self._fault} is on. Its harm may take a minute or two to show.")
        when = "in the quiet period" if seconds_broken is None else f"{seconds_broken:.0f} s after the fault began"
        for incident in Incident.objects.filter(source="live", opened_at__gte=self._began_at).order_by("pk"):
            if incident.pk not in self._opened:
                self._opened.add(incident.pk)
                page = self._site + reverse("incident-page", args=[incident.pk])
                self._say(
                    f"{now:%H:%M:%S} UTC  {incident.reference} opened by itself, {when}: {incident.title}\n  {page}"
                )
            if incident.pk not in self._explained and _is_explained(incident):
                self._explained.add(incident.pk)
                self._say(f"{now:%H:%M:%S} UTC  {incident.reference} has its brief, {when}.")


def _is_explained(incident: Incident) -> bool:
    return Investigation.objects.filter(incident=incident, state=Investigation.State.READY).exists()


def _names() -> list[str]:
    return sorted(folder.name for folder in RECORDINGS.iterdir() if folder.is_dir()) if RECORDINGS.is_dir() else []
