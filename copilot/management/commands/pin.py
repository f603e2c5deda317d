"""`manage.py pin INCIDENT FILE`: writes an investigation to a file, with what is known to be true, for `manage.py evaluate answers`."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from copilot.management.evaluations import answers
from incidents.models import Investigation


class Command(BaseCommand):
    """Needs the database, and no running site."""

    help = "Write an incident's evidence to a file, with what is known to be true, to measure answers on it."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("incident", type=int, help="an incident's number")
        parser.add_argument("file", type=Path, help="a JSON file to write")
        parser.add_argument("--question", default="", help="what is asked; without it, the explanation")
        parser.add_argument("--service", required=True, help="which service caused it")
        parser.add_argument(
            "--says", nargs="+", default=[], metavar="REGEX", help="what a right answer has, each in one sentence"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = Investigation.objects.filter(
                incident_id=options["incident"], state=Investigation.State.READY
            ).first()
        except OperationalError as error:
            raise CommandError(
                f"The database does not answer: {error}. Start it with `manage.py up --detach`."
            ) from error
        if found is None:
            raise CommandError(f"There is no incident {options['incident']}, or its evidence is still being gathered.")
        truth = answers.Truth(options["service"], tuple(options["says"]))
        case = answers.Case(options["file"].stem, options["question"], found.evidence, truth)
        options["file"].write_text(json.dumps(answers.to_json(case), indent=1, ensure_ascii=False) + "\n", "utf-8")
        self.stdout.write(f"Pinned INC-{options['incident']} in {options['file']}.")
