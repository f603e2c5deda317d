"""People-hours, and which of them are out of hours."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.contrib.auth.models import User

from incidents.models import Incident, IncidentRole, Team
from incidents.trends import people
from tests.incidents.trends.cast import CHOICE, NOW, incident

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = people.OfficeHours(BERLIN, 9 * 3600, 17 * 3600)
NIGHTS = people.OfficeHours(BERLIN, 22 * 3600, 6 * 3600)


def at(*moment: int) -> float:
    return datetime(*moment, tzinfo=BERLIN).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("office", "since", "until", "hours"),
    [
        (DAYS, (2026, 10, 21, 10), (2026, 10, 21, 11), 1.0),
        (DAYS, (2026, 10, 21, 8), (2026, 10, 21, 18), 8.0),
        (DAYS, (2026, 10, 24, 10), (2026, 10, 24, 12), 0.0),  # a Saturday
        (DAYS, (2026, 10, 23, 16), (2026, 10, 26, 10), 2.0),  # over a weekend on which the clocks change
        (DAYS, (2026, 10, 19, 0), (2026, 11, 2, 0), 80.0),
        (NIGHTS, (2026, 10, 21, 23), (2026, 10, 22, 7), 7.0),
        (NIGHTS, (2026, 10, 21, 12), (2026, 10, 21, 13), 0.0),
    ],
)
def test_hours_in_office(
    office: people.OfficeHours, since: tuple[int, ...], until: tuple[int, ...], hours: float
) -> None:
    found = people.seconds_in_office(np.array([at(*since)]), np.array([at(*until)]), office=office)
    assert found[0] / 3600 == pytest.approx(hours)


@pytest.mark.django_db
def test_two_roles_at_once_count_once_and_an_open_role_ends_with_the_incident() -> None:
    team = Team.objects.create(name="Shop", time_zone="Europe/Berlin", works_from=time(9), works_until=time(17))
    one = incident(team=team, minutes=120)
    two = incident(days_ago=5, minutes=None)
    ada = User.objects.create_user("ada")
    start = one.started_at
    for role, since, until in (("commander", 0, 60), ("scribe", 30, 90), ("responder", 100, None)):
        end = None if until is None else start + timedelta(minutes=until)
        IncidentRole.objects.create(
            incident=one, user=ada, role=role, since_at=start + timedelta(minutes=since), until_at=end
        )
    IncidentRole.objects.create(incident=two, user=ada, role="commander", since_at=NOW - timedelta(hours=1))
    load = people.load(Incident.objects.all(), CHOICE, now=NOW)
    (person,) = load.people
    assert person.incidents == 2
    assert person.hours == pytest.approx((90 + 20 + 60) / 60)
    # The second has no team: its hour is neither in nor out of hours. The first began at 04:00 in Berlin.
    assert person.known_hours == pytest.approx(110 / 60)
    assert person.out_of_hours == pytest.approx(110 / 60)


@pytest.mark.django_db
def test_a_zone_that_nobody_knows_is_said() -> None:
    team = Team.objects.create(name="Shop", time_zone="Mars/Olympus")
    one = incident(team=team)
    IncidentRole.objects.create(
        incident=one, user=User.objects.create_user("ada"), role="commander", since_at=one.opened_at
    )
    assert people.load(Incident.objects.all(), CHOICE, now=NOW).unknown_zones == ("Shop: Mars/Olympus",)
    assert people.load(Incident.objects.none(), CHOICE, now=NOW).people == ()
