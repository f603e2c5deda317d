"""Whose name stands in the audit log, over connections that many requests share."""

import pytest
from django.contrib.auth.models import User
from django.db import close_old_connections, connection
from django.test import Client, RequestFactory

from copilot import actor
from copilot.models import AuditEntry
from incidents.models import Incident
from tests import cast

NAMED = "SELECT current_setting('copilot.actor', true)"


def named() -> str:
    with connection.cursor() as cursor:
        cursor.execute(NAMED)
        return str(cursor.fetchone()[0] or "")


@pytest.mark.django_db(transaction=True)
def test_a_request_s_changes_are_the_person_s_and_the_next_request_s_are_not() -> None:
    incident, browser = cast.incident(), Client()
    browser.force_login(cast.mira())
    browser.post(f"/incidents/{incident.pk}/do/acknowledge/")
    assert AuditEntry.objects.filter(table="incidents_incident").latest("pk").actor == "mira"
    for _ in range(3):  # whichever connection of the pool comes next
        close_old_connections()
        assert named() == ""
        Incident.objects.update(severity=Incident.objects.get().severity % 4 + 1)
        assert AuditEntry.objects.latest("pk").actor == "co-pilot"
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_view_that_fails_leaves_no_name_behind() -> None:
    def fail(_: object) -> None:
        assert named() == "mira"
        raise ZeroDivisionError

    request = RequestFactory().post("/")
    request.user = cast.mira()
    with pytest.raises(ZeroDivisionError):
        actor.ActingPerson(fail)(request)  # type: ignore[arg-type]
    assert named() == ""


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_cannot_be_cleaned_is_thrown_away() -> None:
    actor.begin("mira")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        first = cursor.fetchone()[0]
        cursor.execute("BEGIN")
        with pytest.raises(Exception, match="division by zero"):
            cursor.execute("SELECT 1 / 0")
    actor.end()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone()[0] != first
    assert named() == ""


@pytest.mark.django_db
def test_reading_and_strangers_name_nobody() -> None:
    request = RequestFactory().get("/")
    request.user = User(username="mira")
    assert actor.ActingPerson(lambda _: named())(request) == ""  # type: ignore[arg-type,return-value]
