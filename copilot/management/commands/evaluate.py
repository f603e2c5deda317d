"""`manage.py evaluate WHAT --data DIR --out OUT`: measures the program against data of which the answers are known."""

from argparse import ArgumentParser
from types import ModuleType
from typing import Any

from django.core.management.base import BaseCommand

from copilot.management.evaluations import (
    answers,
    conversations,
    detection,
    localization,
    masking,
    openings,
    safety,
    templates,
    verdicts,
)

SUBJECTS: dict[str, ModuleType] = {
    "detection": detection,
    "localization": localization,
    "openings": openings,
    "templates": templates,
    "verdicts": verdicts,
    "conversations": conversations,
    "answers": answers,
    "masking": masking,
    "safety": safety,
}


class Command(BaseCommand):
    """Dispatches to one evaluation by name. None needs a running service, and none touches the user's data."""

    help = (
        "Measure the program on recorded data: writes its output as files, and prints a table where the truth is known."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        evaluations = parser.add_subparsers(dest="evaluation", required=True, metavar="WHAT")
        for name, subject in SUBJECTS.items():
            subject.add_arguments(evaluations.add_parser(name, help=subject.HELP))

    def handle(self, *args: Any, **options: Any) -> None:
        SUBJECTS[options["evaluation"]].run(options, write=self.stdout.write)
