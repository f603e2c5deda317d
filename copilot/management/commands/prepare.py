"""`manage.py prepare`: brings static files, database and hot store up to date; `up` runs it before the site starts."""

import time
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from incidents.telemetry.store import HotStore

WAIT_SECONDS = 60.0  # for a managed database that is still starting


class Command(BaseCommand):
    """Safe to run again, and by several machines at once."""

    help = "Collect static files, migrate the database, prepare the hot store."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("collectstatic", interactive=False, verbosity=0)
        self._wait_for_database()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext('copilot prepare'))")
        try:
            call_command("migrate", interactive=False, verbosity=0)
            with closing(HotStore(settings.DATABASE_URL)) as store:
                store.prepare()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('copilot prepare'))")
        self.stdout.write("Static files, database and hot store are up to date.")

    def _wait_for_database(self) -> None:
        until = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                connection.ensure_connection()
            except OperationalError as error:
                if time.monotonic() > until:
                    host = settings.DATABASES["default"].get("HOST") or "its Unix socket"
                    raise CommandError(
                        f"The database at {host} does not answer for {WAIT_SECONDS:g} s: {error}. Check DATABASE_URL."
                    ) from error
                time.sleep(1)
            else:
                return
