"""`manage.py unmask INCIDENT TOKEN --by USER --reason TEXT`: prints what a token stands for, and writes down who looked."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils import timezone

from copilot import actor
from copilot.privacy import vault
from copilot.privacy.pseudonyms import HidingFailed
from incidents.models import Incident

PERMISSION = "copilot.unmask_personal_data"


class Command(BaseCommand):
    """Needs the database, and no running site. The person named must have the permission, as on the page."""

    help = "Print what a token such as ip-1 stands for on an incident. The audit log keeps who looked and why."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("incident", help="an incident's number, or INC-12")
        parser.add_argument("token", help="for example ip-1 or email-2")
        parser.add_argument(
            "--by", required=True, metavar="USER", help="who looks: a user name that may see personal data"
        )
        parser.add_argument("--reason", required=True, help="why; kept in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        number = options["incident"].upper().removeprefix("INC-")
        if not number.isdecimal() or len(number) > 18:
            raise CommandError(f"{options['incident']!r} is no incident's number. Give 12 or INC-12.")
        try:
            self.stdout.write(self._value(int(number), options))
        except OperationalError as error:
            raise CommandError(
                f"The database does not answer: {error}. Start it with `manage.py up --detach`."
            ) from error
        except (vault.UnknownPseudonym, vault.UnmaskingRefused, HidingFailed) as error:
            raise CommandError(str(error)) from error

    def _value(self, number: int, options: dict[str, Any]) -> str:
        by = User.objects.filter(username=options["by"], is_active=True).first()
        if by is None or not by.has_perm(PERMISSION):
            raise CommandError(f"{options['by']} may not see personal data. Name an SRE or an administrator with --by.")
        if not Incident.objects.visible_to(by).filter(pk=number).exists():
            raise CommandError(f"There is no incident {number} that {options['by']} may see.")
        actor.begin(by.get_username())
        try:
            return vault.unmask(number, token=options["token"], reason=options["reason"], by=by, now=timezone.now())
        finally:
            actor.end()
