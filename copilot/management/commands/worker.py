"""`manage.py worker`: a Celery worker of this site, without the start of Celery's own command line, which loads a shell for people."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections

from copilot import tasks
from copilot.celery import app
from copilot.embedded import site

SPARE_CONNECTIONS = 4  # beside one for each thread
QUEUES = ",".join((*site.QUEUES, *site.ANSWER_QUEUES))


class Command(BaseCommand):
    """Until it is asked to end; then the tasks at hand are finished first."""

    help = "Run the tasks of the given queues until stopped."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", default="worker", help="what others call it, unique in a site (default: worker)")
        parser.add_argument("--queues", default=QUEUES, help=f"which, separated by commas (default: {QUEUES})")
        parser.add_argument("--processes", type=int, default=2, help="how many tasks at once (default: 2)")

        parser.add_argument(
            "--threads",
            type=int,
            default=0,
            help="how many tasks at once as threads of one process: for answers by a hosted model, which mostly wait for it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        threads = options["threads"]
        if threads:
            connections.settings["default"]["OPTIONS"]["pool"]["max_size"] = threads + SPARE_CONNECTIONS
            tasks.load_soon()
        worker = app.Worker(
            hostname=f"{options['name']}@copilot",
            queues=options["queues"],
            pool="threads" if threads else "prefork",
            concurrency=threads or options["processes"],
            without_gossip=True,
            without_mingle=True,
            loglevel="INFO",
        )
        worker.start()
        sys.exit(worker.exitcode)
