"""The command that makes up a year."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from incidents.models import AlertDay, Incident

pytestmark = pytest.mark.django_db


def test_write_refuse_and_remove() -> None:
    said = StringIO()
    call_command("seed_history", "--days", "30", "--incidents", "20", stdout=said)
    assert "Wrote 20 incidents" in said.getvalue()
    assert AlertDay.objects.filter(is_demo=True).exists()
    with pytest.raises(CommandError, match="--remove"):
        call_command("seed_history", stdout=said)
    call_command("seed_history", "--remove", stdout=said)
    assert "Removed 20 made-up incidents" in said.getvalue()
    assert not Incident.objects.exists()
