"""`manage.py down`: stops what `up` started, and waits until it is stopped."""

import os
import signal
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from copilot.embedded import running

PATIENCE_SECONDS = 120.0


class Command(BaseCommand):
    """Says so when nothing runs."""

    help = "Stop every service and process that `up` started."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        var = settings.VAR_DIR
        pid = running.owner(var)
        if pid is None:
            self.stdout.write(f"Nothing runs on {var}.")
            return
        try:
            os.kill(pid, signal.SIGTERM)
        except PermissionError as error:
            raise CommandError(f"Process {pid} belongs to another user: run `manage.py down` as that user.") from error
        began = time.monotonic()
        while running.owner(var) is not None:
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise CommandError(
                    f"Process {pid} did not end within {PATIENCE_SECONDS:g} s; {var}/log/ says what it waits for."
                )
            time.sleep(0.1)
        self.stdout.write(f"Everything is stopped after {time.monotonic() - began:.1f} s.")
