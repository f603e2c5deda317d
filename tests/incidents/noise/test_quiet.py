import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from incidents import noise
from incidents.intake.alerts import receive
from incidents.intake.formats import Delivery
from incidents.models import Alert, AlertSource, Hold, NeverHold, OutboxMessage, Silence
from incidents.noise import silences
from tests.incidents.intake import senders
from tests.incidents.intake.senders import NOW, minutes

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> AlertSource:
    return senders.source()[0]


def told(source: AlertSource, *alerts: dict[str, Any], at: datetime = NOW) -> Alert:
    """Deliver the alerts and return the last one's row."""
    receive(source, Delivery(json.dumps(senders.alertmanager(*alerts)).encode()), now=at)
    return Alert.objects.select_related("source").get(fingerprint=alerts[-1]["fingerprint"])


def past(source: AlertSource, *, seconds: list[int], severity: str = "warning", **labels: str) -> None:
    """Episodes of the alert in the days before, each so many seconds long."""
    for number, length in enumerate(seconds):
        began = NOW - timedelta(days=10) + timedelta(hours=number)
        ended = began + timedelta(seconds=length)
        told(source, senders.alert(f"old{number % 5}", at=began, ended=ended, severity=severity, **labels), at=ended)


def now_firing(source: AlertSource, fingerprint: str = "old0", **labels: str) -> Alert:
    return told(source, senders.alert(fingerprint, **{"severity": "warning", **labels}))


SHORT = [40] * 30 + [900] * 2


def test_an_alert_that_usually_ends_by_itself_is_held_and_then_let_go(source: AlertSource) -> None:
    past(source, seconds=SHORT)
    alert = now_firing(source)
    assert noise.quieten(alert, now=NOW) == Alert.Quiet.HELD
    assert alert.quiet_until == NOW + timedelta(seconds=60)
    hold = Hold.objects.get()
    assert (hold.episodes, round(hold.share, 2)) == (32, 0.94)
    OutboxMessage.objects.all().delete()
    assert noise.release_due(now=NOW + timedelta(seconds=59)) == 0
    assert noise.release_due(now=NOW + timedelta(seconds=61)) == 1
    assert OutboxMessage.objects.get().arguments == [[alert.pk]]
    alert.refresh_from_db()
    assert (alert.quiet, Hold.objects.get().outcome) == ("", "real")
    assert noise.quieten(alert, now=minutes(2)) == ""  # once an episode


def test_a_held_alert_that_resolves_itself_was_spared(source: AlertSource) -> None:
    past(source, seconds=SHORT)
    noise.quieten(now_firing(source), now=NOW)
    ended = NOW + timedelta(seconds=45)
    alert = told(source, senders.alert("old0", ended=ended, severity="warning"), at=ended)
    assert (alert.quiet, Hold.objects.get().outcome, Hold.objects.get().ended_at) == ("", "spared", ended)
    assert noise.release_due(now=minutes(9)) == 0
    again = told(source, senders.alert("old0", at=minutes(60), severity="warning"), at=minutes(60))
    assert noise.quieten(again, now=minutes(60)) == Alert.Quiet.HELD


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (SHORT[:19], {}),  # too few
        ([40] * 25 + [900] * 5, {}),  # too many last
        ([400] * 40, {}),  # too long to wait for
        (SHORT, {"severity": "critical"}),
        (SHORT, {"user_impact": "true"}),
    ],
)
def test_no_other_alert_is_held(source: AlertSource, seconds: list[int], labels: dict[str, str]) -> None:
    past(source, seconds=seconds)
    assert noise.quieten(now_firing(source, **labels), now=NOW) == ""
    assert not Hold.objects.exists()


def test_what_has_lasted_already_counts(source: AlertSource) -> None:
    past(source, seconds=SHORT)
    alert = told(source, senders.alert("old0", at=NOW - timedelta(seconds=50), severity="warning"))
    assert noise.quieten(alert, now=NOW) == ""  # of those that lasted 50 s, most go on


def test_a_person_can_release_one_and_forbid_it_for_the_name(source: AlertSource) -> None:
    past(source, seconds=SHORT)
    alert = now_firing(source)
    noise.quieten(alert, now=NOW)
    assert noise.release(alert, by="mira", now=minutes(0.5))
    assert not noise.release(alert, by="mira", now=minutes(0.5))
    assert (Hold.objects.get().outcome, Hold.objects.get().ended_by) == ("released", "mira")
    NeverHold.objects.create(source=source, name=alert.name, created_at=NOW)
    assert noise.quieten(now_firing(source, "old1"), now=NOW) == ""


def test_an_alert_that_changes_four_times_in_half_an_hour_flaps_until_it_was_calm_for_as_long(
    source: AlertSource,
) -> None:
    for start in (0, 10):
        told(source, senders.alert("f", at=minutes(start), severity="warning"), at=minutes(start))
        ended = minutes(start + 2)
        told(source, senders.alert("f", at=minutes(start), ended=ended, severity="warning"), at=ended)
    alert = told(source, senders.alert("f", at=minutes(20), severity="warning"), at=minutes(20))
    assert noise.quieten(alert, now=minutes(20)) == Alert.Quiet.FLAPPING
    assert alert.quiet_until == minutes(50)
    assert noise.release_due(now=minutes(51)) == 1
    alert.refresh_from_db()
    assert noise.quieten(alert, now=minutes(51)) == ""


def test_history_that_is_told_at_once_is_no_flapping(source: AlertSource) -> None:
    starts = [minutes(-60 * number) for number in range(9, 0, -1)]
    told(source, *(senders.alert("f", at=at, ended=minutes(2, after=at), severity="warning") for at in starts))
    assert noise.quieten(now_firing(source, "f"), now=NOW) == ""


def silence(kind: str = "maintenance", *, hours: float = 1, **matchers: str) -> Silence:
    wanted = silences.Wanted(kind, "moving the database", matchers, NOW, NOW + timedelta(hours=hours))
    person, _ = User.objects.get_or_create(username="mira")
    return silences.set_silence(wanted, by=person, now=NOW)


def test_a_silence_quiets_what_it_matches_also_the_gravest(source: AlertSource) -> None:
    window = silence(service="check*", team="shop")
    assert noise.quieten(now_firing(source, severity="critical", team="shop"), now=NOW) == Alert.Quiet.MAINTENANCE
    assert noise.quieten(now_firing(source, "b", team="other"), now=NOW) == ""
    silences.end(window, now=minutes(5))
    OutboxMessage.objects.all().delete()
    assert noise.release_due(now=minutes(5)) == 1
    assert OutboxMessage.objects.count() == 1
    alert = Alert.objects.select_related("source").get(fingerprint="old0")
    assert noise.quieten(alert, now=minutes(5)) == ""


def test_when_one_silence_ends_another_may_still_hold(source: AlertSource) -> None:
    silence("snooze", hours=1, service="checkout")
    silence("snooze", hours=2, name="CheckoutErrors")
    alert = now_firing(source)
    assert noise.quieten(alert, now=NOW) == Alert.Quiet.SNOOZED
    assert alert.quiet_until == NOW + timedelta(hours=2)


def test_a_preview_says_what_it_would_have_meant(source: AlertSource) -> None:
    past(source, seconds=[60] * 240, team="shop")
    now_firing(source, "firing", team="shop")
    now_firing(source, "other", team="search")
    found = silences.preview({"team": "shop", "service": "check*"}, now=NOW)
    assert (found.firing_count, found.past_count, found.worst_severity) == (1, 6, 3)
    assert found.past_episodes == 169  # seven days of one an hour, and the one that is firing
    assert silences.preview({"team": "nobody"}, now=NOW).past_count == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"matchers": {}},
        {"matchers": {"service": "*"}},
        {"reason": " "},
        {"ends_at": NOW - timedelta(hours=1), "starts_at": NOW - timedelta(hours=2)},
        {"ends_at": NOW + timedelta(days=100)},
    ],
)
def test_a_silence_that_says_too_little_or_too_much_is_refused(fault: dict[str, Any]) -> None:
    good = {"kind": "snooze", "reason": "x", "matchers": {"a": "b"}, "starts_at": NOW, "ends_at": minutes(5)}
    with pytest.raises(silences.BadSilence):
        silences.set_silence(silences.Wanted(**{**good, **fault}), by=User(username="mira"), now=NOW)


def test_held_alerts_of_a_batch_ask_for_the_past_once(source: AlertSource, django_assert_max_num_queries: Any) -> None:
    past(source, seconds=SHORT)
    alerts = [now_firing(source, f"old{number}") for number in range(5)]
    with django_assert_max_num_queries(10):
        noise.quieten_all(alerts, now=NOW)
    assert {one.quiet for one in alerts} == set(
        Alert.objects.filter(pk__in=[one.pk for one in alerts]).values_list("quiet", flat=True)
    )
    assert {one.quiet for one in alerts} == {Alert.Quiet.HELD}
    assert Hold.objects.count() == len(alerts)
