"""The audit page: filters, pages, and nothing secret."""

import pytest
from django.test import Client

from copilot import actor
from copilot.models import AuditEntry
from copilot.views import audit
from incidents.models import Incident, IncidentTask
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(cast.person("mo", "manager"))
    return client


def test_it_says_who_changed_what_from_what_to_what(browser: Client) -> None:
    incident = cast.incident(title=cast.HOSTILE)
    actor.begin("mira")
    Incident.objects.update(status="resolved")
    actor.end()
    page = browser.get("/settings/audit/?actor=mira").content.decode()
    assert "open → resolved" in page
    assert "<script>window" not in page
    assert f"INC-{incident.pk}" in page


def test_an_incident_s_entries_are_its_own_and_those_of_its_tasks(browser: Client) -> None:
    incident, other = cast.incident(), cast.incident()
    for of in (incident, other):
        IncidentTask.objects.create(incident=of, text=f"task of {of.pk}", created_at=cast.OPENED, created_by="mira")
    found = audit.matching({"incident": incident.reference})
    assert {(entry.table, entry.row_id) for entry in found} == {
        ("incidents_incident", str(incident.pk)),
        ("incidents_incidenttask", str(IncidentTask.objects.get(incident=incident).pk)),
    }
    assert not audit.matching({"incident": "x"}).exists()


def test_pages_and_times(browser: Client) -> None:
    for number in range(audit.A_PAGE + 5):
        IncidentTask.objects.create(
            incident=Incident.objects.first() or cast.incident(),
            text=f"task {number}",
            created_at=cast.OPENED,
            created_by="mira",
        )
    first = browser.get("/settings/audit/?table=incidents_incidenttask")
    assert len(first.context["entries"]) == audit.A_PAGE
    second = browser.get("/settings/audit/" + first.context["older"])
    assert (len(second.context["entries"]), second.context["older"]) == (5, "")
    assert not browser.get("/settings/audit/?until=2001-01-01T00:00").context["entries"]
    assert browser.get("/settings/audit/?since=nonsense&before=x&row=x").status_code == 200
    assert AuditEntry.objects.exists()
