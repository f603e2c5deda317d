"""Rows 1, 2, 16, 19, 23, 24 and 25 on the whole site as its users run it: whoever dies, nothing acknowledged is lost or counted twice.

The supervisor starts again what died; nobody helps it.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from copilot.embedded import addresses, running
from tests.faults.senders import MAKE_SOURCE, Crowd, body, now_firing, wait
from tests.services import ROOT, LiveSite, Run, start_live_site

COMPONENTS = ("web", "worker", "relay", "valkey", "postgres")


@pytest.fixture(scope="module")
def site(services: Run) -> Iterator[LiveSite]:
    found = start_live_site(services, name="kills", llm="none")
    yield found
    found.supervisor.stop()


def source(site: LiveSite, name: str) -> str:
    """Make a source and return its address."""
    about = json.dumps({"name": name, "kind": "alertmanager", "most_per_minute": 1_000_000})
    return f"{site.url}/in/{run(site, MAKE_SOURCE, about).split()[-1]}"


def run(site: LiveSite, code: str, *arguments: str) -> str:
    """Run Python beside the site and return what it printed."""
    environment = {**site.environment, "DJANGO_SETTINGS_MODULE": "copilot.settings"}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def ask(site: LiveSite, query: str, *given: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(addresses.database_url(site.var), autocommit=True, connect_timeout=5) as connection:
        return connection.execute(query, given).fetchall()


def pid_of(site: LiveSite, name: str) -> int | None:
    state = running.read_state(site.var)
    found = [one for one in state.components if one.name == name and one.state == "running"] if state else []
    return found[0].pid if found else None


def kill(site: LiveSite, name: str) -> None:
    """Kill a component and all its processes at once, and wait until the supervisor has started it again."""
    wait(lambda: pid_of(site, name), what=lambda: f"{name} is not running")
    pid = pid_of(site, name)
    assert pid is not None
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        # A child of the database may have ended by itself meanwhile.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait(lambda: pid_of(site, name) not in (None, pid), what=lambda: f"{name} was not started again")


def nothing_waits(site: LiveSite) -> bool:
    return ask(site, "SELECT count(*) FROM incidents_outboxmessage WHERE task = 'incidents.tasks.group_alerts'") == [
        (0,)
    ]


def require_exact(site: LiveSite, sent: dict[str, int], *, prefix: str) -> None:
    """Every alert is there with exactly as many deliveries as were acknowledged, in one incident, by one decision."""
    like = f"{prefix}-%"
    stored = dict(ask(site, "SELECT fingerprint, deliveries FROM incidents_alert WHERE fingerprint LIKE %s", like))
    assert stored == sent
    wait(
        lambda: (
            ask(site, "SELECT count(*) FROM incidents_alert WHERE incident_id IS NULL AND fingerprint LIKE %s", like)
            == [(0,)]
        ),
        what=lambda: "alerts without an incident",
    )
    wait(lambda: nothing_waits(site), what=lambda: str(ask(site, "SELECT * FROM incidents_outboxmessage LIMIT 5")))
    decisions = ask(
        site,
        """SELECT count(*), count(DISTINCT alert_id) FROM incidents_groupingdecision d JOIN incidents_alert a ON a.id = d.alert_id
           WHERE fingerprint LIKE %s AND outcome IN ('opened', 'joined') AND NOT is_shadow""",
        like,
    )
    assert decisions == [(len(sent), len(sent))]
    assert ask(site, "SELECT task, cause FROM incidents_deadletter") == []


@pytest.mark.timeout(400)
def test_whoever_is_killed_every_acknowledged_alert_is_there_once(site: LiveSite) -> None:
    address = source(site, "kills")
    with Crowd(address, "kills") as crowd:
        for name in COMPONENTS:
            crowd.wait_for(40)
            kill(site, name)
        crowd.wait_for(40)
    assert not crowd.faults
    assert set(crowd.statuses) <= {0, 200, 202, 503}, crowd.statuses
    require_exact(site, dict(crowd.acknowledged), prefix="kills")
    raw = ask(
        site, "SELECT count(*), count(DISTINCT delivery_id) FROM incidents_rawevent WHERE delivery_id LIKE 'kills-%%'"
    )
    assert raw == [(crowd.acknowledged.total(), crowd.acknowledged.total())]


@pytest.mark.timeout(300)
def test_ten_thousand_duplicates_are_one_alert_one_incident_and_one_investigation(site: LiveSite) -> None:
    address = source(site, "duplicates")
    before = ask(site, "SELECT count(*) FROM incidents_incident")[0][0]
    content = body(now_firing("duplicate-1", name="DiskFull", service="ledger-archive", alone="yes"))

    def deliver(client: httpx.Client) -> int:
        """Send once; as any sender, again when the answer is that the database has no time (503)."""
        while (answer := client.post(address, content=content)).status_code == 503:
            time.sleep(float(answer.headers["Retry-After"]))
        return answer.status_code

    def send(_: int) -> set[int]:
        with httpx.Client(trust_env=False, timeout=60) as client:
            return {deliver(client) for _ in range(200)}

    with ThreadPoolExecutor(50) as pool:
        assert set().union(*pool.map(send, range(50))) == {202}
    require_exact(site, {"duplicate-1": 10_000}, prefix="duplicate")
    [(incident,)] = ask(site, "SELECT incident_id FROM incidents_alert WHERE fingerprint = 'duplicate-1'")
    assert ask(site, "SELECT count(*) FROM incidents_incident")[0][0] - before <= 1
    asked = "SELECT count(*) FROM incidents_investigation WHERE incident_id = %s"
    wait(lambda: ask(site, asked, incident) != [(0,)], what=lambda: "no investigation")
    time.sleep(1)
    assert ask(site, asked, incident) == [(1,)]


SIGN_IN = """
import django; django.setup()
from django.test import Client
from tests import cast
c = Client(); c.force_login(cast.person("kim", "responder")); print(c.cookies["sessionid"].value)
"""


@pytest.mark.timeout(300)
def test_row_24_a_question_does_not_wait_behind_ten_thousand_alerts(site: LiveSite) -> None:
    address = source(site, "backlog")
    waiting = "SELECT count(*) FROM incidents_alert WHERE fingerprint LIKE 'backlog-%%' AND incident_id IS NULL"
    with httpx.Client(trust_env=False, timeout=60) as client:
        client.cookies["sessionid"] = run(site, SIGN_IN).split()[-1]
        assert (
            client.post(address, content=body(now_firing("asked-1", name="Asked", service="asked"))).status_code == 202
        )
        wait(lambda: ask(site, "SELECT incident_id FROM incidents_alert WHERE fingerprint = 'asked-1'")[0][0])
        [(incident,)] = ask(site, "SELECT incident_id FROM incidents_alert WHERE fingerprint = 'asked-1'")
        client.get(f"{site.url}/incidents/{incident}/").raise_for_status()
        for batch in range(100):
            alerts = [now_firing(f"backlog-{batch}-{n}", service=f"backlog{batch}") for n in range(100)]
            assert client.post(address, content=body(*alerts)).status_code == 202
        assert ask(site, waiting)[0][0] > 0
        asked = client.post(
            f"{site.url}/incidents/{incident}/ask/",
            data={"text": "What else fails?"},
            headers={"X-CSRFToken": client.cookies["csrftoken"], "X-Requested-With": "fetch", "Referer": site.url},
        )
        assert asked.status_code == 202, asked.text
    begun = "SELECT attempts > 0 FROM copilot_message WHERE incident_id = %s AND from_copilot ORDER BY id DESC LIMIT 1"
    wait(lambda: ask(site, begun, incident) == [(True,)], seconds=60)
    assert ask(site, waiting)[0][0] > 0, (
        "the alerts were all grouped before: the question waited for them, or there were too few"
    )
    wait(lambda: nothing_waits(site), seconds=200, what=lambda: "alerts wait to be grouped")
