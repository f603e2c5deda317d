from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from django.db import connection

from incidents import lifecycle
from incidents.detection.anomaly import AnomalyGroup, Episode
from incidents.models import Anomaly, Incident, Investigation, OutboxMessage, Service, ServiceEdge, TimelineEntry
from tests.incidents.detection.streams import at, episode

ANNOUNCE = "copilot.tasks.announce"  # tells open pages; comes with every new line of the timeline

pytestmark = pytest.mark.django_db


def group_of(
    *episodes: Episode, severity: int = 2, title: str = "checkout: up to 31 % of requests fail"
) -> AnomalyGroup:
    started = min(e.started_at for e in episodes)
    return AnomalyGroup(
        episodes=episodes,
        services=tuple(dict.fromkeys(e.key.service for e in episodes)),
        started_at=started,
        opened_at=max(started, episodes[0].detected_at),
        severity=severity,
        title=title,
    )


def opened(*episodes: Episode, source: str = "live", now: float = 40, **fields: object) -> Incident:
    return lifecycle.open_or_join(group_of(*(episodes or (episode(),)), **fields), source=source, now=at(now))  # type: ignore[arg-type]


def timeline(incident: Incident) -> list[str]:
    return list(incident.timeline.values_list("text", flat=True))


def test_opening_writes_everything_that_follows_from_it() -> None:
    incident = opened(episode(), episode("duration_p95", started=10, peak=2.0, usual_high=0.2))
    assert (incident.status, incident.severity, incident.services) == ("open", 2, ["checkout"])
    assert (incident.started_at, incident.opened_at, incident.last_anomaly_at) == (at(0), at(30), at(40))
    assert Anomaly.objects.filter(incident=incident).count() == 2
    assert Investigation.objects.get(incident=incident).state == Investigation.State.WAITING
    [message] = OutboxMessage.objects.exclude(task=ANNOUNCE)
    assert (message.task, message.arguments, message.queue) == (
        "copilot.tasks.investigate",
        [incident.pk],
        "investigate",
    )
    assert timeline(incident) == [
        "checkout: up to 31 % of requests fail",
        "checkout: p95 duration up to 2 s, usually below 200 ms",
        "Opened: checkout: up to 31 % of requests fail",
    ]


def test_the_same_group_again_changes_nothing() -> None:
    incident = opened()
    before = timeline(incident)
    again = opened(now=55)
    assert again.pk == incident.pk
    assert timeline(again) == before
    assert (
        Anomaly.objects.count() == OutboxMessage.objects.exclude(task=ANNOUNCE).count() == Incident.objects.count() == 1
    )
    assert again.last_anomaly_at == at(55)


def test_an_episode_that_seems_to_begin_a_little_later_is_the_same() -> None:
    opened(episode(peak=0.2, score=10))
    incident = opened(episode(started=20, peak=0.5, score=30), now=60)
    [anomaly] = incident.anomalies.all()
    assert (anomaly.started_at, anomaly.peak, anomaly.score) == (at(0), 0.5, 30)


def test_later_trouble_at_the_same_service_joins_and_other_trouble_does_not() -> None:
    first = opened(episode(lasted=120))
    again = opened(episode("duration_p95", started=300, peak=2.0), now=340, title="checkout is slow")
    elsewhere = opened(episode(service="warehouse", started=300), now=340)
    much_later = opened(episode(started=4000), now=4040)
    assert again.pk == first.pk
    assert len({first.pk, elsewhere.pk, much_later.pk}) == 3
    assert "Again: checkout is slow" in timeline(first)


def test_anomalies_that_joined_are_taken_out_again_and_stay_out() -> None:
    incident = opened()
    later = episode("duration_p95", service="cart", started=120, peak=2.0, usual_high=0.2)
    services = [Service.objects.create(name=n, first_seen_at=at(0), last_seen_at=at(0)) for n in ("checkout", "cart")]
    ServiceEdge.objects.create(caller=services[0], callee=services[1], last_seen_at=at(0))
    assert opened(later, now=150) == incident
    [decision] = incident.grouping_decisions.filter(outcome="joined")
    assert lifecycle.can_undo(decision)
    other = lifecycle.undo(decision, by="mira", now=at(160))
    incident.refresh_from_db()
    assert (incident.services, other.services) == (["checkout"], ["cart"])
    assert [one.service for one in other.anomalies.all()] == ["cart"]
    assert incident.anomalies.count() == 1
    assert f"now {other.reference}" in timeline(incident)[-1]
    assert opened(later, now=175) == other
    decision.refresh_from_db()
    assert not lifecycle.can_undo(decision)


def test_a_neighbour_joins_when_the_topology_is_known() -> None:
    caller, callee = (
        Service.objects.create(name=n, first_seen_at=at(0), last_seen_at=at(0)) for n in ("storefront", "checkout")
    )
    ServiceEdge.objects.create(caller=caller, callee=callee, last_seen_at=at(0))
    first = opened()
    joined = opened(episode(service="storefront", started=60), now=100)
    assert joined.pk == first.pk
    assert joined.services == ["checkout", "storefront"]
    assert "Also affected: storefront" in timeline(joined)


def test_severity_rises_and_never_falls_while_open() -> None:
    opened(severity=3)
    worse = opened(now=55, severity=1, title="checkout: up to 90 % of requests fail")
    assert (worse.severity, worse.title) == (1, "checkout: up to 90 % of requests fail")
    assert "Severity raised from 3 to 1: checkout: up to 90 % of requests fail" in timeline(worse)
    better = opened(now=70, severity=3, title="checkout: up to 2 % of requests fail")
    assert (better.severity, better.title) == (1, "checkout: up to 90 % of requests fail")


def test_what_it_opened_with_may_grow_worse_in_the_title() -> None:
    opened()
    assert (
        opened(now=55, title="checkout: up to 45 % of requests fail").title == "checkout: up to 45 % of requests fail"
    )


def test_sources_are_apart() -> None:
    assert opened(source="live").pk != opened(source="replay_a").pk


def test_recovery_is_written_once_and_resolves_nothing() -> None:
    opened(episode(), episode("duration_p95", peak=2.0))
    half = opened(episode(lasted=90), episode("duration_p95", peak=2.0), now=150)
    assert not [text for text in timeline(half) if "back to usual" in text]
    for now in (200, 215):
        incident = opened(episode(lasted=90), episode("duration_p95", peak=2.0, lasted=120), now=now)
    assert timeline(incident).count("Signals back to usual since 02:02:00 UTC") == 1
    assert incident.status == Incident.Status.OPEN
    assert incident.last_anomaly_at == at(150)


def test_a_gauge_still_odd_does_not_hide_the_recovery() -> None:
    incident = opened(episode(lasted=90), episode("process.cpu.utilization"), now=200)
    assert any("back to usual" in text for text in timeline(incident))


def test_a_resolved_incident_stays_resolved_until_something_new_happens() -> None:
    incident = opened()
    lifecycle.resolve(incident, by="alice", now=at(100))
    assert opened(now=110).pk == incident.pk
    assert Incident.objects.get(pk=incident.pk).status == Incident.Status.RESOLVED
    fresh = opened(episode(), episode("duration_p95", started=200, peak=2.0), now=240)
    assert fresh.pk != incident.pk


def test_a_group_without_episodes_opens_as_well() -> None:
    alert = replace(group_of(episode()), episodes=(), services=())
    incident = lifecycle.open_or_join(alert, source="replay_a", now=at(40))
    assert incident.services == []
    assert lifecycle.open_or_join(alert, source="replay_a", now=at(40)).pk != incident.pk


def test_people_move_it_on_and_the_timeline_says_who() -> None:
    incident = opened()
    lifecycle.acknowledge(incident, by="alice", now=at(60))
    lifecycle.mitigate(incident, by="bob", now=at(120))
    lifecycle.resolve(incident, by="alice", now=at(180))
    assert (incident.acknowledged_at, incident.mitigated_at, incident.resolved_at) == (at(60), at(120), at(180))
    reopened = lifecycle.reopen(incident, by="bob", now=at(240))
    assert (reopened.status, reopened.resolved_at, reopened.acknowledged_at) == ("open", None, at(60))
    said = TimelineEntry.objects.filter(kind=TimelineEntry.Kind.PERSON).values_list("text", "actor")
    assert list(said) == [
        ("Acknowledged by alice", "alice"),
        ("Mitigated by bob", "bob"),
        ("Resolved by alice", "alice"),
        ("Reopened by bob", "bob"),
    ]


def test_the_first_to_acknowledge_counts() -> None:
    incident = opened()
    stale = Incident.objects.get(pk=incident.pk)
    lifecycle.acknowledge(incident, by="alice", now=at(60))
    assert lifecycle.acknowledge(stale, by="bob", now=at(61)).acknowledged_at == at(60)
    assert timeline(incident)[-1] == "Acknowledged by alice"


def test_an_impossible_step_says_why() -> None:
    incident = opened()
    lifecycle.resolve(incident, by="alice", now=at(60))
    with pytest.raises(
        lifecycle.WrongState, match=f"INC-{incident.pk} is resolved, so it cannot become acknowledged. Reopen it first"
    ):
        lifecycle.acknowledge(incident, by="bob", now=at(61))


def test_notes_are_kept_and_empty_ones_refused() -> None:
    incident = opened()
    lifecycle.add_note(incident, text=" restarted one pod ", by="alice", now=at(70))
    assert timeline(incident)[-1] == "restarted one pod"
    with pytest.raises(ValueError, match="empty"):
        lifecycle.add_note(incident, text="  ", by="alice", now=at(71))


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_open_one_incident() -> None:
    workers, rounds = 4, 8
    barrier = Barrier(workers)

    def work(number: int) -> set[int]:
        found = set()
        for turn in range(rounds):
            barrier.wait()
            trouble = episode(started=turn * 7200, service=f"service {turn}")
            also = episode("duration_p95", started=turn * 7200 + number, service=f"service {turn}", peak=2.0)
            found.add(lifecycle.open_or_join(group_of(trouble, also), source="live", now=at(turn * 7200 + 40)).pk)
        connection.close()
        return found

    with ThreadPoolExecutor(workers) as pool:
        found = set().union(*pool.map(work, range(workers)))
    assert (
        len(found)
        == Incident.objects.count()
        == Investigation.objects.count()
        == OutboxMessage.objects.exclude(task=ANNOUNCE).count()
        == rounds
    )
    assert Anomaly.objects.count() == 2 * rounds
