"""`manage.py unmask`: what a token stands for, from a shell."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from copilot.models import AuditEntry, Unmasking
from copilot.privacy import vault
from tests import cast

pytestmark = pytest.mark.django_db


def unmask(*arguments: object) -> str:
    out = StringIO()
    call_command("unmask", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_it_prints_the_value_and_writes_down_who_looked() -> None:
    incident = cast.incident()
    cast.person("sre", "SRE")
    vault.of_incident(incident.pk).hide("203.0.113.9")
    assert unmask(incident.reference, "ip-1", "--by", "sre", "--reason", "blocking it") == "203.0.113.9\n"
    assert AuditEntry.objects.get(table="copilot_unmasking").actor == "sre"


@pytest.mark.parametrize(
    ("token", "by", "reason", "why"),
    [
        ("ip-1", "mira", "blocking it", "may not see personal data"),
        ("ip-1", "nobody", "blocking it", "may not see personal data"),
        ("ip-9", "sre", "blocking it", "stands for nothing"),
        ("ip-1", "sre", " ", "why you need"),
    ],
)
def test_it_refuses_as_the_page_does(token: str, by: str, reason: str, why: str) -> None:
    incident = cast.incident()
    cast.mira()
    cast.person("sre", "SRE")
    vault.of_incident(incident.pk).hide("203.0.113.9")
    with pytest.raises(CommandError, match=why):
        unmask(incident.pk, token, "--by", by, "--reason", reason)
    assert not Unmasking.objects.exists()


def test_an_incident_that_the_person_may_not_see_is_not_there() -> None:
    incident = cast.incident(is_restricted=True)
    cast.person("sre", "SRE")
    for number in (incident.pk, "INC-999999", "x"):
        with pytest.raises(CommandError, match="no incident"):
            unmask(number, "ip-1", "--by", "sre", "--reason", "blocking it")
