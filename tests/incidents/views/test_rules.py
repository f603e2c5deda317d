import pytest
from django.test import Client

from incidents import grouping, lifecycle
from incidents.models import GroupingRule
from tests.cast import person
from tests.incidents.alerting import START, alert, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def sre(client: Client) -> Client:
    client.force_login(person("sara", "SRE"))
    return client


def saved(client: Client, **fields: str) -> int:
    given = {
        "name": "by cluster",
        "matchers": "",
        "group_by": "cluster",
        "window_minutes": "30",
        "state": "on",
        **fields,
    }
    return client.post("/settings/rules/save/", given).status_code


def test_a_rule_is_written_changed_ordered_and_deleted(sre: Client) -> None:
    assert saved(sre) == 302
    assert saved(sre, name="of payments", matchers="service=pay*\nname=High*", group_by="") == 302
    first, second = GroupingRule.objects.all()
    assert (first.name, second.matchers) == ("by cluster", {"service": "pay*", "name": "High*"})
    assert saved(sre, pk=str(first.pk), state="shadow") == 302
    sre.post(f"/settings/rules/{second.pk}/move/", {"do": "up"})
    assert [rule.name for rule in GroupingRule.objects.all()] == ["of payments", "by cluster"]
    page = sre.get("/settings/rules/").content.decode()
    assert "No alert has matched in 7 days." in page
    sre.post(f"/settings/rules/{second.pk}/move/", {"do": "delete"})
    assert GroupingRule.objects.get().pk == first.pk


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": " "}, "Give the rule a name"),
        ({"matchers": "payments"}, "is not label=value"),
        ({"window_minutes": "0"}, "is not possible"),
        ({"group_by": "", "matchers": ""}, "every alert would be one incident"),
        ({"group_by": "a,b,c,d,e,f"}, "at most 5 labels"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_saved(sre: Client, fields: dict[str, str], said: str) -> None:
    given = {"name": "x", "matchers": "", "group_by": "cluster", "window_minutes": "30", "state": "on", **fields}
    answer = sre.post("/settings/rules/save/", given)
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not GroupingRule.objects.exists()


def test_the_preview_tells_history_and_what_people_did(sre: Client) -> None:
    made = [alert(started=0), alert("DiskFull", service="warehouse", started=30), alert("HighLatency", started=7200)]
    made += [alert("DiskFull", service="depot", started=40, labels={"cluster": "us-2"})]
    for one in made:
        grouping.place([one.pk], now=at(7300))
        one.refresh_from_db()
    incidents = [one.incident for one in made]
    assert incidents[0]
    assert incidents[1]
    lifecycle.merge(incidents[1], into=incidents[0], by="mira", now=at(7400))
    rule = GroupingRule(name="x", group_by=["cluster"], window_minutes=30, created_at=START)
    found = grouping.preview(rule, now=at(8000))
    assert (found.alerts, found.would_be, found.merged_by_people) == (4, 3, 1)
    assert found.sentence.startswith("Would have grouped these 4 alerts into 3 incidents; they ended in ")
    assert found.sentence.endswith("people merged 1.")
    assert found.precision == 1.0
    assert found.groups[0].key == "cluster=eu-1"
    nothing = grouping.preview(GroupingRule(matchers={"service": "absent"}, created_at=START), now=at(8000))
    assert nothing.sentence == "No alert of the last 30 days matches."


def test_the_preview_button_saves_nothing(sre: Client) -> None:
    answer = sre.post(
        "/settings/rules/save/",
        {"do": "preview", "name": "x", "matchers": "", "group_by": "cluster", "window_minutes": "30", "state": "on"},
    )
    assert "No alert of the last 30 days matches." in answer.content.decode()
    assert not GroupingRule.objects.exists()


def test_responders_write_no_rules(client: Client) -> None:
    client.force_login(person("mira", "responder"))
    assert client.get("/settings/rules/").status_code == 403
    assert saved(client) == 403
