import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from incidents.models import Alert, AlertSource, Hold, NeverHold, OutboxMessage, Silence
from incidents.views import alert_reading
from tests import cast

pytestmark = pytest.mark.django_db


def signed_in(*permissions: str, name: str = "mira") -> Client:
    person = User.objects.create_user(name)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    browser.force_login(person)
    return browser


@pytest.fixture
def browser() -> Client:
    return signed_in("view_incident", "silence_alerts")


def said(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def alert(**fields: Any) -> Alert:
    source, _ = AlertSource.objects.get_or_create(
        name="Alertmanager", defaults={"kind": "alertmanager", "created_at": timezone.now()}
    )
    now = timezone.now()
    number = Alert.objects.count()
    told = {"name": f"Alert{number}", "status": "firing", "service": "cart", "starts_at": now, "last_event_at": now}
    told |= {"first_received_at": now, "last_received_at": now + timedelta(microseconds=number // 3)}
    return Alert.objects.create(**{"source": source, "fingerprint": str(number), **told, **fields})


def test_the_list_shows_what_fires_and_is_narrowed_by_its_address(browser: Client) -> None:
    alert(name="DiskFull", severity=1)
    alert(name="Latency", quiet="held", quiet_until=timezone.now())
    alert(name="Old", status="resolved")
    for query, names in {
        "": {"DiskFull", "Latency"},
        "status=all": {"DiskFull", "Latency", "Old"},
        "quiet=quiet": {"Latency"},
        "quiet=counts": {"DiskFull"},
        "severity=1": {"DiskFull"},
        "words=disk+cart": {"DiskFull"},
        "words=%00": {"DiskFull", "Latency"},
        "source=nobody": set(),
        "before=nonsense&severity=x&status=x": {"DiskFull", "Latency", "Old"},
    }.items():
        answer = browser.get(f"/alerts/?{query}")
        assert {one.name for one in answer.context["alerts"]} == names, query
    assert "2 firing: 1 count, 1 kept quiet" in said(browser.get("/alerts/"))


def test_pages_follow_each_other_without_gap_or_repetition(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_reading, "A_PAGE", 4)
    made = {alert(status="resolved" if number % 3 else "firing").pk for number in range(15)}
    seen: list[int] = []
    query = "status=all"
    while query:
        answer = browser.get(f"/alerts/?{query}")
        seen += [one.pk for one in answer.context["alerts"]]
        query = answer.context["older"]
    assert len(seen) == 15
    assert set(seen) == made


def test_alerts_of_a_restricted_incident_are_hidden_from_those_who_may_not_see_it(browser: Client) -> None:
    hidden = alert(name="Breach", incident=cast.incident(is_restricted=True))
    assert "Breach" not in said(browser.get("/alerts/?status=all"))
    assert browser.get(f"/alerts/{hidden.pk}/").status_code == 404
    assert browser.post(f"/alerts/{hidden.pk}/release/").status_code == 404
    chosen = signed_in("view_incident", "view_restricted_incident", name="jonas")
    assert "Breach" in said(chosen.get("/alerts/?status=all"))


def test_nobody_without_permission_sees_or_silences() -> None:
    one = alert()
    nobody, viewer = signed_in(name="nobody"), signed_in("view_incident", name="viewer")
    for path in ("/alerts/", f"/alerts/{one.pk}/", "/alerts/held/", "/silences/"):
        assert nobody.get(path).status_code == 403
        assert viewer.get(path).status_code == 200
    for path in (f"/alerts/{one.pk}/release/", "/silences/add/", "/silences/preview/", "/alerts/held/never/"):
        assert viewer.post(path).status_code == 403
        assert viewer.get(path).status_code in (403, 405)


def test_hostile_text_is_only_text(browser: Client) -> None:
    one = alert(
        name=cast.HOSTILE[:200], summary=cast.HOSTILE, labels={cast.HOSTILE[:50]: cast.HOSTILE}, service="\u202ecart"
    )
    for path in ("/alerts/", f"/alerts/{one.pk}/"):
        page = said(browser.get(path))
        assert "<script>window" not in page
        assert "<img" not in page
        assert "<bdi>\u202ecart</bdi>" in page


def test_a_clock_that_is_off_is_said(browser: Client) -> None:
    one = alert(clock_skew_seconds=86_400)
    assert "clock skew" in said(browser.get("/alerts/"))
    assert "at least 24.0 h ahead" in said(browser.get(f"/alerts/{one.pk}/"))
    Alert.objects.update(clock_skew_seconds=-7_200)
    assert "Told 2.0 h after it began" in said(browser.get(f"/alerts/{one.pk}/"))


def test_a_held_alert_can_be_let_go(browser: Client) -> None:
    now = timezone.now()
    one = alert(quiet="held", quiet_until=now + timedelta(minutes=2))
    Hold.objects.create(alert=one, began_at=now, until=now + timedelta(minutes=2), episodes=48, share=0.96)
    page = said(browser.get(f"/alerts/{one.pk}/"))
    assert "Of 48 earlier episodes of alerts with this name, 96 % ended by themselves" in page
    browser.post(f"/alerts/{one.pk}/release/")
    one.refresh_from_db()
    assert (one.quiet, OutboxMessage.objects.count()) == ("", 1)
    assert "1 was released by people" in said(browser.get("/alerts/held/"))


def test_a_name_is_never_held_when_a_person_says_so(browser: Client) -> None:
    one = alert()
    browser.post("/alerts/held/never/", {"source": one.source_id, "name": one.name, "what": "never"})
    assert NeverHold.objects.filter(name=one.name, created_by__username="mira").exists()
    browser.post("/alerts/held/never/", {"source": one.source_id, "name": one.name, "what": "allow"})
    assert not NeverHold.objects.exists()


def test_a_silence_is_previewed_set_and_ended(browser: Client) -> None:
    alert(name="DiskFull", severity=1)
    preview = said(browser.post("/silences/preview/", {"matchers": "service=ca*"}))
    assert "1 alert that fires now matches" in preview
    assert "Alerts of severity 1 match" in preview
    assert "is not label=value" in said(browser.post("/silences/preview/", {"matchers": "service"}))
    given = {"kind": "maintenance", "matchers": "service=ca*", "reason": "moving", "minutes": "60"}
    assert browser.post("/silences/add/", {**given, "reason": " "}).status_code == 400
    assert browser.post("/silences/add/", {**given, "matchers": "service=*"}).status_code == 400
    assert browser.post("/silences/add/", given).status_code == 302
    made = Silence.objects.get()
    assert (made.matchers, made.ends_at - made.starts_at) == ({"service": "ca*"}, timedelta(hours=1))
    assert "service=ca*" in said(browser.get("/silences/"))
    browser.post(f"/silences/{made.pk}/end/")
    made.refresh_from_db()
    assert made.ended_early_at is not None
    assert "ended early" in said(browser.get("/silences/"))


def test_a_snooze_begins_from_the_alert(browser: Client) -> None:
    one = alert(name="DiskFull")
    link = re.search(r'href="(/silences/\?[^"]+)"', browser.get(f"/alerts/{one.pk}/").content.decode())
    assert link
    page = said(browser.get(link.group(1)))
    assert "name=DiskFull service=cart" in page
    assert "1 alert that fires now matches" in page
