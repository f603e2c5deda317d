import pytest
from django.test import Client

from incidents import lifecycle
from incidents.models import Incident, Service, Team
from tests.cast import person
from tests.incidents.alerting import alert, at

pytestmark = pytest.mark.django_db
GIVEN = {
    "name": "Payments",
    "time_zone": "Europe/Berlin",
    "works_from": "08:00",
    "works_until": "18:00",
    "services": "payments, ledger",
}


def test_a_team_owns_services_and_their_incidents_are_its_own(client: Client) -> None:
    sara, mira = person("sara", "SRE"), person("mira", "responder")
    client.force_login(sara)
    assert client.post("/settings/teams/save/", {**GIVEN, "member": [str(mira.pk)]}).status_code == 302
    team = Team.objects.get()
    assert (list(team.members.all()), team.time_zone) == ([mira], "Europe/Berlin")
    incident = lifecycle.open_for_alerts([alert()], now=at(5))
    assert incident.team == team
    client.post("/settings/teams/save/", {**GIVEN, "pk": str(team.pk), "services": "ledger"})
    assert [service.name for service in Service.objects.filter(owner=team)] == ["ledger"]
    assert "Payments" in client.get(f"/settings/teams/{team.pk}/").content.decode()
    client.post(f"/settings/teams/{team.pk}/delete/")
    assert Incident.objects.get().team is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Give the team a name"),
        ({"time_zone": "Mars/Base"}, "is no time zone"),
        ({"works_from": "x"}, "Office hours"),
    ],
)
def test_what_is_wrong_is_said(client: Client, fields: dict[str, str], said: str) -> None:
    client.force_login(person("sara", "SRE"))
    answer = client.post("/settings/teams/save/", {**GIVEN, **fields})
    assert (answer.status_code, said in answer.content.decode(), Team.objects.exists()) == (400, True, False)


def test_viewers_see_teams_and_change_none(client: Client) -> None:
    client.force_login(person("vera", "viewer"))
    assert "No team yet" in client.get("/settings/teams/").content.decode()
    assert client.post("/settings/teams/save/", GIVEN).status_code == 403
