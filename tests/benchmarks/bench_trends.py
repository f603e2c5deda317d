"""How long the board, the alerts and every dashboard take with 10,000 incidents and 1,000,000 alerts stored: whole requests, in this process."""

import os
import resource
import time
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from incidents.history import writing
from incidents.models import Alert, AlertEvent, AlertSource, GroupingDecision, Incident
from incidents.trends import noise, recent
from tests import cast

INCIDENTS, ALERTS, DAYS = 10_000, 1_000_000, 700
TARGET_MS, TIMES = 200.0, 25
TRENDS = "?period=12m&demo=1"
YEARS = "?from={first}&to={last}&demo=1"
PAGES = (
    "/incidents/",
    "/incidents/?status=resolved&before={middle}",
    "/incidents/?q=provider+outage",
    "/incidents/?q=nothing-is-called-so",
    "/incidents/?service=demo-checkout&severity=2&cause=deploy&from=2026-01-01",
    "/incidents/?assignee=demo-ada&status=active",
    f"/trends/{YEARS}",
    f"/trends/{YEARS}&by=cause&measure=acknowledge",
    f"/trends/{TRENDS}&service=demo-checkout",
    f"/trends/recurring/{YEARS}",
    f"/trends/noise/{YEARS}",
    f"/trends/people/{YEARS}",
    f"/trends/incidents/{YEARS}&over=60&upto=120",
    "/trends/report/?demo=1",
    "/alerts/",
    "/alerts/?status=firing",
    "/alerts/?q=Alert17",
    "/alerts/?service=demo-s3",
    "/alerts/?name=Alert3&status=resolved",
)

# A million alerts over the same time: 400 names, one in fifty of them in an incident.
_ALERTS = """
INSERT INTO incidents_alert (source_id, fingerprint, name, summary, severity, service, environment, team, labels, annotations, link,
       status, starts_at, ends_at, last_event_at, first_received_at, last_received_at, deliveries, episodes, has_user_impact,
       clock_skew_seconds, quiet, incident_id, is_demo)
SELECT %(source)s, 'bench-' || n, 'Alert' || n %% 400, 'made up', 3, 'demo-s' || n %% 40, '', '', '{}', '{}', '',
       'resolved', at, at + interval '5 minutes', at, at, at, 2, 1, false, 0, '',
       CASE WHEN n %% 50 = 0 THEN %(first)s + n %% %(incidents)s END, true
  FROM (SELECT n, %(now)s - interval '1 second' * (%(seconds)s * (1 - n::float / %(alerts)s)) AS at
          FROM generate_series(1, %(alerts)s) AS n) AS made
"""
_EVENTS = """
INSERT INTO incidents_alertevent (alert_id, status, at, received_at, begins)
SELECT incidents_alert.id, change.status, at, at, false FROM incidents_alert,
       LATERAL (VALUES ('firing', starts_at), ('resolved', ends_at)) AS change (status, at)
 WHERE fingerprint LIKE 'bench-%%' ORDER BY starts_at
"""
_DECISIONS = """
INSERT INTO incidents_groupingdecision (incident_id, alert_id, subject, outcome, features, moved, sentence, is_shadow, decided_at, decided_by,
       undone_by)
SELECT incident_id, id, name, CASE WHEN incident_id IS NULL THEN 'held' ELSE 'joined' END, '{}', '{}', 'made up', false, starts_at, '', ''
  FROM incidents_alert WHERE fingerprint LIKE 'bench-%%' ORDER BY starts_at
"""


def fill() -> float:
    """Store it all and return the seconds that adding a million alerts up took."""
    now = timezone.now()
    writing.write(days=DAYS, incidents=INCIDENTS, seed=1, now=now)
    values = {
        "source": AlertSource.objects.first().pk,  # type: ignore[union-attr]
        "first": Incident.objects.order_by("pk").first().pk,  # type: ignore[union-attr]
        "incidents": INCIDENTS - 1,
        "alerts": ALERTS,
        "seconds": DAYS * 86_400,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # this is preparation, not what is timed
        cursor.execute(_ALERTS, values)
        cursor.execute(_EVENTS)
        cursor.execute(_DECISIONS)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    began = time.perf_counter()
    noise.add_up(now=now, since=(now - timedelta(days=DAYS)).date())
    return time.perf_counter() - began


def milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(3_600)
def test_board_and_dashboards(client: Client) -> None:
    added_up = fill()
    client.force_login(cast.person("max", "administrator"))
    middle = Incident.objects.order_by("-opened_at")[INCIDENTS // 2]
    now = timezone.now()
    words = {
        "middle": f"{int(middle.opened_at.timestamp() * 1_000_000)}-{middle.pk}",
        "first": f"{now - timedelta(days=DAYS):%Y-%m-%d}",
        "last": f"{now:%Y-%m-%d}",
    }
    print(f"\nload of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(
        f"{Incident.objects.count():,} incidents, {Alert.objects.count():,} alerts, {AlertEvent.objects.count():,} changes,"
        f" {GroupingDecision.objects.count():,} decisions; adding them up by day: {added_up:.1f} s"
    )
    slow = []
    for path in PAGES:
        path = path.format(**words)
        recent.forget_all()
        first = milliseconds(lambda path=path: client.get(path))  # type: ignore[misc]
        own = time.process_time()
        taken = [milliseconds(lambda path=path: client.get(path)) for _ in range(TIMES)]  # type: ignore[misc]
        own = (time.process_time() - own) * 1000 / TIMES
        p50, p95, p99 = np.percentile(taken, (50, 95, 99))
        print(
            f"{p50:7.0f} {p95:7.0f} {p99:7.0f} ms (p50 p95 p99), {own:4.0f} ms of it this process's own work; the minute's first {first:4.0f} ms  {path}"
        )
        if p95 > TARGET_MS:
            slow.append(path)
    open_ones = Incident.objects.filter(status="open").count()
    print(f"acknowledging is timed on resolved incidents reopened for it; {open_ones} were open")
    ids = list(Incident.objects.filter(status="resolved").values_list("pk", flat=True)[:TIMES])
    Incident.objects.filter(pk__in=ids).update(status="open", resolved_at=None)
    taken = [
        milliseconds(lambda pk=pk: client.post(f"/incidents/{pk}/board/acknowledge/", HTTP_X_REQUESTED_WITH="fetch"))
        for pk in ids
    ]  # type: ignore[misc]
    p50, p95, p99 = np.percentile(taken, (50, 95, 99))
    print(f"{p50:7.0f} {p95:7.0f} {p99:7.0f} ms (p50 p95 p99)  acknowledge")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"memory of this process at most {memory:.0f} MiB; target p95 < {TARGET_MS:.0f} ms; over it: {', '.join(slow) or 'none'}"
    )
