"""The trends' pages: who may see them, what they show of thin and of hostile data, files that a spreadsheet opens."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from incidents.history import writing
from incidents.models import Incident, Team
from incidents.trends import noise
from incidents.views.trends_export import plain
from tests import cast

pytestmark = pytest.mark.django_db
PAGES = ("", "recurring/", "noise/", "people/", "calibration/", "incidents/", "report/")


@pytest.fixture
def manager(client: Client) -> Client:
    client.force_login(cast.person("max", "manager"))
    return client


@pytest.mark.parametrize("page", [*PAGES, "export/weeks.csv"])
def test_only_those_who_may(client: Client, page: str) -> None:
    client.force_login(cast.person("vic", "viewer"))
    assert client.get(f"/trends/{page}").status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_before_the_first_incident_each_page_says_what_to_do(manager: Client, page: str) -> None:
    said = manager.get(f"/trends/{page}").content.decode()
    assert (
        "seed_history" in said
        or "longer" in said
        or "No alerts" in said
        or "None fits" in said
        or "Nothing to report" in said
    )


@pytest.mark.parametrize("page", PAGES)
def test_with_a_year_of_demo_data_every_page_marks_it(manager: Client, page: str) -> None:
    now = timezone.now()
    writing.write(days=120, incidents=120, seed=1, now=now)
    noise.add_up(now=now, since=(now - timedelta(days=120)).date())
    said = manager.get(f"/trends/{page}?demo=1&period=6m").content.decode()
    assert "Demo data" in said
    plain_page = manager.get(f"/trends/{page}?period=6m").content.decode()
    assert "demo-checkout" not in plain_page


@pytest.mark.parametrize(
    "query",
    [
        "from=nonsense&to=2026-99-99",
        "from=2026-10-31&to=2026-10-01",
        "from=0001-01-01",
        "period=forever&severity=9&cause=x&measure=x&by=x&team=nobody&service=%00",
        "weekday=99&hour=-1&over=1e9&ids=1,x,99999999999999999999999&which=x&upto=" + "9" * 400,
        "month=2026-13",
        "month=9999-01",
    ],
)
@pytest.mark.parametrize("page", ["", "incidents/", "report/", "export/incidents.csv"])
def test_an_address_that_makes_no_sense_is_answered(manager: Client, page: str, query: str) -> None:
    cast.incident(source="live")
    assert manager.get(f"/trends/{page}?{query}").status_code == 200


def test_what_could_not_be_used_is_said(manager: Client) -> None:
    said = manager.get("/trends/?from=soon&severity=9").content.decode()
    assert "from=soon is not a date" in said
    assert "severity=9 is not one of 1, 2, 3, 4." in said


def test_a_restricted_incident_is_in_nobodys_numbers_but_theirs(client: Client) -> None:
    now = timezone.now() - timedelta(minutes=1)  # pages show whole minutes
    cast.incident(source="live", is_restricted=True, started_at=now, opened_at=now, title="secret")
    client.force_login(cast.person("sre", "SRE"))
    assert client.get("/trends/").context["n"] == 0
    client.force_login(cast.person("max", "manager"))
    assert client.get("/trends/").context["n"] == 1


def test_numbers_lead_to_the_incidents_behind_them(manager: Client) -> None:
    now = timezone.now()
    for minutes in (5, 40, 50):
        at = now - timedelta(days=2)
        cast.incident(
            source="live",
            title=f"{minutes} min",
            started_at=at,
            opened_at=at,
            status="resolved",
            resolved_at=at + timedelta(minutes=minutes),
        )
    page = manager.get("/trends/")
    distribution = page.context["charts"][2]
    (bar,) = [row[1] for row in distribution.rows if row[1].text == "2"]
    found = manager.get(bar.href)
    assert [timed.title for timed, _ in found.context["rows"]] == ["50 min", "40 min"]
    assert "time to restore over 30 min and up to 60 min" in found.content.decode()


def test_a_month_is_compared_with_the_one_before(manager: Client) -> None:
    for month, minutes in ((9, 60), (10, 20)):
        for day in range(1, 13):
            at = datetime(2026, month, day, 10, tzinfo=UTC)
            spread = minutes * (1 + day / 20)
            Incident.objects.create(
                title="x",
                severity=2,
                services=["cart"],
                status="resolved",
                started_at=at,
                opened_at=at,
                last_anomaly_at=at,
                acknowledged_at=at,
                resolved_at=at + timedelta(minutes=spread),
            )
    said = manager.get("/trends/report/?month=2026-10").content.decode()
    assert "12 incidents, 12 in the time before." in said
    assert "Median time to restore fell from" in said
    assert "month=2026-09" in said


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("  =1", "'  =1"),
        ("ok", "ok"),
        (-3, "-3"),
        (1.5, "1.50"),
        (None, ""),
    ],
)
def test_no_cell_is_a_formula(value: object, cell: str) -> None:
    assert plain(value) == cell


def test_files(manager: Client) -> None:
    now = timezone.now()
    team = Team.objects.create(name="=HYPERLINK(1)")
    cast.incident(
        source="live",
        title='=cmd|"/C calc"!A1',
        team=team,
        started_at=now - timedelta(hours=1),
        opened_at=now - timedelta(hours=1),
    )
    answer = manager.get("/trends/export/incidents.csv")
    assert answer["Content-Type"].startswith("text/csv")
    assert answer["Content-Disposition"].startswith('attachment; filename="incidents-')
    header, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    found = dict(zip(header, row, strict=True))
    assert found["title"] == '\'=cmd|"/C calc"!A1'
    assert found["team"] == "'=HYPERLINK(1)"
    assert (found["minutes to restore"], found["still going on"]) == ("", "yes")
    for table in ("weeks", "groups", "recurring", "noise", "people"):
        assert manager.get(f"/trends/export/{table}.csv").status_code == 200
    assert manager.get("/trends/export/secrets.csv").status_code == 404


def test_the_calibration_page_shows_stated_and_come_true_as_picture_and_table(manager: Client) -> None:
    writing.write(days=120, incidents=200, seed=1, now=timezone.now())
    answer = manager.get("/trends/calibration/?demo=1&period=6m")
    said = answer.content.decode()
    assert said.count('<circle class="dot c1"') == len(answer.context["rows"]) >= 4
    assert sum(row.n for row in answer.context["rows"]) == len(answer.context["found"].told)
    for words in ("Expected calibration error", "95 %:", "0 of 100 live incidents needed", "By month"):
        assert words in said
    behind = manager.get(answer.context["rows"][-1].href.replace("?", "?page=1&")).content.decode()
    assert "demo-" in behind
    empty = manager.get("/trends/calibration/").content.decode()
    assert "press Resolve on its page" in empty
