"""Row 14: senders' clocks that are off by a day, and a server whose own clock runs an hour ahead."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from incidents.intake import signatures
from tests.faults.line import Line, answer_of
from tests.faults.senders import body, now_firing
from tests.incidents.intake import senders

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
DAY = timedelta(days=1)
SIGN_IN = """
import django; django.setup()
from django.contrib.auth.models import User
from django.test import Client
c = Client(); c.force_login(User.objects.create_superuser("clock")); print(c.cookies["sessionid"].value)
"""


def told(fingerprint: str, offset: timedelta) -> dict[str, object]:
    """An alert of a service of its own, whose sender's clock is off by so much."""
    at = datetime.now(UTC) + offset
    return senders.alert(fingerprint, at=at, name=f"Clock{fingerprint}", service=fingerprint)


@pytest.mark.timeout(200)
def test_told_times_are_kept_and_incidents_go_by_our_clock(working: Line) -> None:
    token = working.source(name="skewed")
    # The last two are no times that anybody's clock could show: receipt counts instead.
    offsets = {"ahead": DAY, "behind": -DAY, "right": timedelta(0), "years": 400 * DAY, "zero": -30 * 365 * DAY}
    for name, offset in offsets.items():
        assert answer_of(working.web, token, body(told(name, offset)), id=name) == 202
    rows = {
        name: rest
        for name, *rest in working.ask(
            """SELECT fingerprint, clock_skew_seconds, starts_at - first_received_at, first_received_at FROM incidents_alert a
               JOIN incidents_alertsource s ON s.id = a.source_id WHERE s.name = 'skewed'"""
        )
    }
    day = DAY.total_seconds()
    assert rows["ahead"][0] == pytest.approx(day, abs=60)
    assert rows["behind"][0] == pytest.approx(-day, abs=60)
    assert [rows[name][0] for name in ("right", "years", "zero")] == [0, 0, 0]
    assert rows["ahead"][1] > DAY * 0.99
    assert [rows[name][1] for name in ("years", "zero")] == [timedelta(0)] * 2
    assert sorted(offsets, key=lambda name: rows[name][2]) == list(offsets), "the order of receipt is kept"
    working.wait(lambda: working.outbox() == 0)
    incidents = working.ask(
        """SELECT fingerprint, i.started_at, i.opened_at, i.last_anomaly_at, now() FROM incidents_alert a
           JOIN incidents_incident i ON i.id = a.incident_id"""
    )
    assert {name for name, *_ in incidents} >= set(offsets)
    for name, started_at, opened_at, last_at, now in incidents:
        assert started_at <= opened_at <= now, name
        assert last_at <= now, name
    entries = working.ask(
        "SELECT text, happened_at FROM incidents_timelineentry WHERE happened_at > now() + interval '2 seconds'"
    )
    assert entries == []


@pytest.mark.timeout(200)
def test_an_end_told_by_a_clock_that_is_ahead_ends_the_alert_and_not_the_future(working: Line) -> None:
    token = working.source(name="ending")
    at = datetime.now(UTC) + DAY
    fired = senders.alert("ending", at=at, name="ClockEnding", service="ending")
    over = senders.alert("ending", at=at, ended=at + timedelta(minutes=1), name="ClockEnding", service="ending")
    assert answer_of(working.web, token, body(fired), id="ending-1") == 202
    working.wait(lambda: working.outbox() == 0)
    assert answer_of(working.web, token, body(over), id="ending-2") == 202
    working.wait(lambda: working.outbox() == 0)
    assert working.ask("SELECT status FROM incidents_alert WHERE fingerprint = 'ending'") == [("resolved",)]
    ahead = working.ask(
        "SELECT text, happened_at FROM incidents_timelineentry WHERE happened_at > now() + interval '2 seconds'"
    )
    assert ahead == []


def test_the_alert_says_that_its_sender_s_clock_is_off(working: Line) -> None:
    token = working.source(name="shown")
    assert answer_of(working.web, token, body(told("shown", DAY)), id="shown") == 202
    cookie = working.python(SIGN_IN).split()[-1]
    page = httpx.get(f"{working.web}/alerts/", cookies={"sessionid": cookie}, trust_env=False, timeout=60)
    assert page.status_code == 200
    assert "clock skew" in page.text


@pytest.mark.timeout(200)
def test_a_server_whose_clock_runs_ahead_says_both_times_and_loses_nothing(working: Line) -> None:
    if not FAKETIME.exists():
        pytest.skip(f"{FAKETIME} is not here: install Debian's package libfaketime")
    secret = signatures.new_secret()
    signed_source, plain = working.source(secret), working.source()
    url, child = working.start_web(LD_PRELOAD=str(FAKETIME), FAKETIME="+1h", DONT_FAKE_MONOTONIC="1")
    content = body(now_firing("hour", service="hour"))
    now = datetime.now(UTC)
    headers = signatures.signed(content, id="msg_1", secret=secret, now=now)
    with httpx.Client(trust_env=False, timeout=60) as client:
        answer = client.post(f"{url}/in/{signed_source}", content=content, headers=headers)
        assert answer.status_code == 401
        message = answer.json()["message"]
        assert f"{now:%Y-%m-%d %H:%M}" in message
        assert f"{now + timedelta(hours=1):%Y-%m-%d %H:}" in message
        assert client.post(f"{url}/in/{plain}", content=content).status_code == 202
    child.stop()
    # By the right clock again: what was received an hour from now stands in nobody's way.
    assert answer_of(working.web, plain, body(now_firing("hour", service="hour")), id="again") == 202
    assert working.ask("SELECT deliveries, status FROM incidents_alert WHERE fingerprint = 'hour'") == [(2, "firing")]
    working.wait(lambda: working.outbox() == 0)
    query = "SELECT incident_id IS NOT NULL FROM incidents_alert WHERE fingerprint = 'hour'"
    working.wait(lambda: working.ask(query) == [(True,)])
