"""`manage.py worker`: a Celery worker of this site, without the start of Celery's own command line, which loads a shell for people."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from copilot.celery import app
from copilot.embedded import site

QUEUES = ",".join((*site.QUEUES, *site.ANSWER_QUEUES))


class Command(BaseCommand):
    """Until it is asked to end; then the tasks at hand are finished first."""

    help = "Run the tasks of the given queues until stopped."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", default="worker", help="what others call it, unique in a site (default: worker)")
        parser.add_argument("--queues", default=QUEUES, help=f"which, separated by commas (default: {QUEUES})")
        parser.add_argument("--processes", type=int, default=2, help="how many tasks at once (default: 2)")

    def handle(self, *args: Any, **options: Any) -> None:
        worker = app.Worker(
            hostname=f"{options['name']}@copilot",
            queues=options["queues"],
            concurrency=options["processes"],
            without_gossip=True,
            without_mingle=True,
            loglevel="INFO",
        )
        worker.start()
        sys.exit(worker.exitcode)
