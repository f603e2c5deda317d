import pytest
from django.contrib.auth.models import User

from incidents import grouping, lifecycle, teamwork
from incidents.lifecycle import profiles
from incidents.models import Alert, GroupingDecision, Incident, TimelineEntry
from tests.incidents.alerting import alert, at

pytestmark = pytest.mark.django_db


def placed(name: str = "HighErrorRate", *, service: str = "payments", started: float = 0, **fields: object) -> Incident:
    one = alert(name, service=service, started=started, labels={"cluster": f"{service}-1"}, **fields)
    grouping.place([one.pk], now=at(started + 2))
    one.refresh_from_db()
    assert one.incident is not None
    return one.incident


def two() -> tuple[Incident, Incident]:
    first, second = placed(severity=2), placed("DiskFull", service="warehouse", started=30, severity=1)
    assert first != second
    return first, second


def fresh(incident: Incident) -> Incident:
    return Incident.objects.get(pk=incident.pk)


def test_merging_moves_everything_and_undoing_brings_it_back() -> None:
    into, other = two()
    teamwork.add_task(other, text="free some disk", by="mira", now=at(40))
    before = {
        incident.pk: (incident.status, incident.severity, incident.services, incident.started_at)
        for incident in (fresh(into), fresh(other))
    }
    decision = lifecycle.merge(other, into=into, by="mira", now=at(60))
    into, other = fresh(into), fresh(other)
    assert (into.severity, into.services, into.started_at) == (1, ["payments", "warehouse"], at(0))
    assert (other.merged_into, other.status) == (into, "closed")
    assert into.alerts.count() == 2
    assert into.tasks.count() == 1
    assert decision.sentence == f"{other.reference} was merged into {into.reference} by mira"
    assert into.timeline.filter(text__startswith="Merged by mira").exists()
    assert lifecycle.undo(decision, by="jonas", now=at(90)) == other
    after = {
        incident.pk: (incident.status, incident.severity, incident.services, incident.started_at)
        for incident in (fresh(into), fresh(other))
    }
    assert after == before
    assert fresh(other).alerts.count() == fresh(into).alerts.count() == 1
    assert fresh(other).tasks.count() == 1
    with pytest.raises(lifecycle.NotPossible, match="undone"):
        lifecycle.undo(decision, by="mira", now=at(91))


def test_what_cannot_be_merged_says_why() -> None:
    into, other = two()
    with pytest.raises(lifecycle.NotPossible, match="itself"):
        lifecycle.merge(into, into=into, by="mira", now=at(60))
    lifecycle.resolve(into, by="mira", now=at(60))
    with pytest.raises(lifecycle.WrongState, match="reopen it first"):
        lifecycle.merge(other, into=into, by="mira", now=at(61))
    lifecycle.reopen(into, by="mira", now=at(62))
    lifecycle.restrict(other, restricted=True, by="mira", now=at(63))
    with pytest.raises(lifecycle.NotPossible, match="restricted"):
        lifecycle.merge(other, into=into, by="mira", now=at(64))


def test_a_merged_incident_is_not_reopened_and_its_alerts_go_on_in_the_other() -> None:
    into, other = two()
    lifecycle.merge(other, into=into, by="mira", now=at(60))
    with pytest.raises(lifecycle.WrongState, match=f"merged into {into.reference}"):
        lifecycle.reopen(fresh(other), by="mira", now=at(61))
    more = placed("DiskSlow", service="warehouse", started=90)
    assert more == into


def test_splitting_takes_services_out_and_undoing_puts_them_back() -> None:
    into, other = two()
    lifecycle.merge(other, into=into, by="mira", now=at(60))
    new = lifecycle.split(fresh(into), services=["warehouse"], by="mira", now=at(80))
    assert (new.services, new.alerts.count(), fresh(into).services) == (["warehouse"], 1, ["payments"])
    decision = GroupingDecision.objects.get(outcome="split")
    lifecycle.undo(decision, by="mira", now=at(90))
    assert fresh(into).alerts.count() == 2
    assert fresh(new).merged_into == into
    for nothing in ({"services": ["absent"]}, {"alerts": []}):
        with pytest.raises(lifecycle.NotPossible, match="Nothing to split off"):
            lifecycle.split(fresh(into), by="mira", now=at(95), **nothing)  # type: ignore[arg-type]
    with pytest.raises(lifecycle.NotPossible, match="everything"):
        lifecycle.split(fresh(into), services=["payments", "warehouse"], by="mira", now=at(95))


def test_an_undone_join_moves_the_alert_out_and_bends_the_score() -> None:
    first = placed()
    joined = alert("HighLatency", started=60)
    [decision] = grouping.place([joined.pk], now=at(62))
    prior = profiles.weights()
    assert decision.incident == first
    other = lifecycle.undo(decision, by="mira", now=at(100))
    joined.refresh_from_db()
    assert joined.incident == other != first
    assert profiles.lessons() == [(decision.features, False)]
    assert profiles.weights()["same service"] < prior["same service"]
    # Its next deliveries leave it where the person put it.
    assert grouping.place([joined.pk], now=at(120)) == []


def test_people_undoing_often_enough_keeps_such_alerts_apart() -> None:
    for turn in range(8):
        begin = turn * 7200
        placed(started=begin)
        joined = alert("HighLatency", started=begin + 120, labels={"cluster": "other"})
        decision = grouping.place([joined.pk], now=at(begin + 122))[0]
        if decision.outcome == "joined":
            lifecycle.undo(decision, by="mira", now=at(begin + 130))
        for incident in Incident.objects.exclude(status="resolved"):
            lifecycle.resolve(incident, by="mira", now=at(begin + 300))
        Alert.objects.update(status="resolved")
    assert decision.outcome == "opened"


def test_details_are_set_with_a_reason_and_the_timeline_keeps_it() -> None:
    incident = placed()
    lifecycle.set_severity(incident, severity=1, reason="card payments stopped", by="mira", now=at(10))
    lifecycle.set_cause(incident, cause="deploy", text="2.14.0 leaks connections", by="mira", now=at(20))
    lifecycle.set_tags(incident, tags=["cards", " cards ", "eu"], by="mira", now=at(30))
    lifecycle.set_services(incident, services=["payments", "checkout"], by="mira", now=at(40))
    lifecycle.set_title(incident, title="  Cards are refused ", by="mira", now=at(50))
    lifecycle.restrict(incident, restricted=True, by="mira", now=at(60))
    row = fresh(incident)
    assert (row.severity, row.cause, row.tags, row.services, row.title, row.is_restricted) == (
        1,
        "deploy",
        ["cards", "eu"],
        ["payments", "checkout"],
        "Cards are refused",
        True,
    )
    said = list(TimelineEntry.objects.filter(actor="mira").values_list("text", flat=True))
    assert said == [
        "Severity 3 → 1 by mira: card payments stopped",
        "Cause: Deploy, 2.14.0 leaks connections, by mira",
        "Tags set by mira: cards, eu",
        "Affected services set by mira: payments, checkout",
        "Renamed by mira: Cards are refused",
        "Restricted by mira",
    ]
    for wrong in (
        lambda: lifecycle.set_severity(incident, severity=5, reason="x", by="mira", now=at(70)),
        lambda: lifecycle.set_severity(incident, severity=2, reason=" ", by="mira", now=at(70)),
        lambda: lifecycle.set_cause(incident, cause="moon", text="", by="mira", now=at(70)),
        lambda: lifecycle.set_title(incident, title=" ", by="mira", now=at(70)),
    ):
        with pytest.raises(lifecycle.NotPossible):
            wrong()


def test_a_resolved_incident_is_closed_and_reopened() -> None:
    incident = placed()
    with pytest.raises(lifecycle.WrongState, match="Resolve it first"):
        lifecycle.close(incident, by="mira", now=at(10))
    lifecycle.resolve(incident, by="mira", now=at(20))
    assert lifecycle.close(incident, by="mira", now=at(30)).closed_at == at(30)
    again = lifecycle.reopen(incident, by="mira", now=at(40))
    assert (again.status, again.closed_at, again.resolved_at) == ("open", None, None)
    entries = list(incident.timeline.order_by("known_at"))
    assert lifecycle.status_after(entries) == "open"
    assert lifecycle.status_after(entries[:-1]) == "closed"


def test_who_may_not_see_a_restricted_incident_is_told_nothing() -> None:
    incident = placed()
    jonas = User.objects.create_user("jonas")
    teamwork.watch(jonas, incident=incident, now=at(1))
    entry = incident.timeline.first()
    assert entry is not None
    assert teamwork.notify_watchers(entry, now=at(2)) == 0
