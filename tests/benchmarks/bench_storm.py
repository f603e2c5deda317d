"""How fast alerts are placed when thousands come at once, alone and beside a hundred open incidents: the domain call itself, in this process."""

import os
import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from incidents import grouping, lifecycle, noise
from incidents.models import Alert, AlertEvent, AlertSource, GroupingDecision, Incident, Service, ServiceEdge

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
ALERTS, A_SECOND, SERVICES = 2_000, 50, 40
PLACED_PER_SECOND = 500
NAMES = ("HighErrorRate", "HighLatency", "PodRestarts", "DiskFull", "QueueLag", "NodeNotReady", "TargetDown")


def alerts_of(source: AlertSource, count: int, *, service: str, since: datetime) -> list[Alert]:
    """Store alerts that fire, a service each when its name has a place for the number, as intake would have."""
    pick = random.Random(3)
    made = []
    for number in range(count):
        at = since + timedelta(seconds=number / A_SECOND)
        where, name = service.format(number % SERVICES), f"{pick.choice(NAMES)}{pick.randrange(5) or ''}"
        made.append(
            Alert(
                source=source,
                fingerprint=f"{service}-{number}",
                name=name,
                summary=f"{name} on {where}, pod {number}: above its threshold",
                severity=pick.choice((1, 2, 3, 3, 4)),
                service=where,
                labels={
                    "pod": f"{where}-{number}",
                    "cluster": f"c{pick.randrange(4)}",
                    "zone": f"z{pick.randrange(8)}",
                },
                status=Alert.Status.FIRING,
                **dict.fromkeys(("starts_at", "last_event_at", "first_received_at", "last_received_at"), at),
            )
        )
    Alert.objects.bulk_create(made)
    firing = Alert.Status.FIRING
    AlertEvent.objects.bulk_create(
        [AlertEvent(alert=one, status=firing, at=one.starts_at, received_at=one.starts_at) for one in made]
    )
    return made


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("beside", "each"), [(0, 100), (0, 1_000), (100, 1_000)])
def test_a_storm_is_placed(beside: int, each: int) -> None:
    source = AlertSource.objects.create(name="bench", kind="alertmanager", created_at=NOW)
    seen = {"first_seen_at": NOW, "last_seen_at": NOW}
    services = [Service.objects.create(name=f"s{number}", **seen) for number in range(SERVICES)]
    for number in range(1, SERVICES):
        ServiceEdge.objects.create(caller=services[number], callee=services[number // 3], last_seen_at=NOW)
    earlier = NOW - timedelta(minutes=30)
    for number in range(beside):
        lifecycle.open_for_alerts(alerts_of(source, 4, service=f"old-{number}", since=earlier), now=earlier)
    ids = [one.pk for one in alerts_of(source, ALERTS, service="s{}", since=NOW)]
    began, own = time.perf_counter(), time.process_time()
    for start in range(0, ALERTS, each):
        at = NOW + timedelta(seconds=(start + each) / A_SECOND)
        grouping.place(ids[start : start + each], now=at, quieten=noise.quieten_all)
    took, own = time.perf_counter() - began, time.process_time() - own
    incidents = Incident.objects.filter(alerts__in=ids).distinct().count()
    print(
        f"\n{ALERTS:,} alerts, {each:,} at a time, beside {beside} open incidents: {ALERTS / took:,.0f} placed a second in {took:.1f} s"
        f" ({own:.1f} s of it this process's own work), into {incidents} incident(s);"
        f" {GroupingDecision.objects.filter(alert__in=ids).count():,} decisions; target {PLACED_PER_SECOND} a second, 1 incident;"
        f" load of the machine {os.getloadavg()[0]:.1f}"
    )
    assert incidents == 1
