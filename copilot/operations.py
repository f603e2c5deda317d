"""How the program itself is doing: what waits in its queues, what it gave up on, what it dropped and why."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db.models import Count, Min, Q, Sum
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from copilot.models import AuditEntry
from incidents.intake import outbox
from incidents.models import DeadLetter, DropCount, Incident, OutboxMessage

QUEUES = ("intake", "detect", "investigate", "chat", "act", "embed")
BROKER_SECONDS = 1.0
SHOWN_DROPS = 200


@dataclass(frozen=True, slots=True)
class Backlog:
    """One queue. `waiting` is not handed to the broker yet, `published` is, `running` a worker has begun.

    `in_broker` counts what waits in the broker, with the schedule's own tasks; None when it does not answer.
    """

    queue: str
    waiting: int
    published: int
    running: int
    oldest_seconds: float
    in_broker: int | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many records of a kind were refused or dropped for one reason."""

    what: str
    source: str
    reason: str
    count: int


class NotThere(Exception):
    """There is no such dead letter, or somebody has had it tried again already."""


def backlogs(*, now: datetime) -> tuple[Backlog, ...]:
    """Return every queue, busy or not."""
    counted = {
        row["queue"]: row
        for row in OutboxMessage.objects.order_by()
        .values("queue")
        .annotate(
            waiting=Count("pk", filter=Q(published_at=None)),
            published=Count("pk", filter=Q(published_at__isnull=False, claimed_until=None)),
            running=Count("pk", filter=Q(claimed_until__isnull=False)),
            oldest=Min("created_at"),
        )
    }
    names = (*QUEUES, *sorted(set(counted) - set(QUEUES)))
    in_broker = _in_broker(names)
    return tuple(_backlog(name, dict(counted.get(name, {})), in_broker.get(name), now=now) for name in names)


def _backlog(queue: str, row: dict[str, Any], in_broker: int | None, *, now: datetime) -> Backlog:
    return Backlog(
        queue=queue,
        waiting=row.get("waiting", 0),
        published=row.get("published", 0),
        running=row.get("running", 0),
        oldest_seconds=max(0.0, (now - row["oldest"]).total_seconds()) if row else 0.0,
        in_broker=in_broker,
    )


def _in_broker(queues: Collection[str]) -> dict[str, int]:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=BROKER_SECONDS, socket_connect_timeout=BROKER_SECONDS
    )
    try:
        pipe = client.pipeline(transaction=False)
        for queue in queues:
            pipe.llen(queue)
        return dict(zip(queues, (int(length) for length in pipe.execute()), strict=True))
    except redis.RedisError:  # the page says that it does not answer
        return {}
    finally:
        client.close()


def dropped(*, since: datetime) -> tuple[Dropped, ...]:
    """Return what was refused or dropped since then, most first, at most 200 lines."""
    counts = DropCount.objects.filter(minute_at__gte=since).order_by().values_list("what", "source", "reason")
    summed = counts.annotate(total=Sum("count")).order_by("-total")[:SHOWN_DROPS]
    return tuple(Dropped(*row) for row in summed)


def take_up_again(letter_id: int, *, now: datetime) -> DeadLetter:
    """Mark a dead letter as tried again, once however often it is asked, and return it. Raises NotThere."""
    if DeadLetter.objects.filter(pk=letter_id, retried_at=None).update(retried_at=now) != 1:
        raise NotThere("There is no such dead letter, or it was tried again already.")
    return DeadLetter.objects.get(pk=letter_id)


def enqueue_again(letter: DeadLetter) -> None:
    """Ask for the dead letter's task once more, with its three attempts anew."""
    outbox.enqueue(task=letter.task, arguments=letter.arguments, queue=letter.queue)


class _Numbers(Collector):
    """What /metrics says, read from the database when it is asked for."""

    def __init__(self, *, now: datetime, components: dict[str, bool]) -> None:
        self.now = now
        self.components = components

    def collect(self) -> Iterator[Metric]:
        """Yield each metric family."""
        yield from self._queues()
        up = GaugeMetricFamily("copilot_component_up", "1 when the component works as it should.", labels=["component"])
        for name, works in self.components.items():
            up.add_metric([name], float(works))
        yield up
        incidents = GaugeMetricFamily("copilot_incidents", "Incidents by state.", labels=["status", "severity"])
        counts = Incident.objects.filter(is_demo=False).order_by().values_list("status", "severity")
        for status, severity, count in counts.annotate(n=Count("pk")):
            incidents.add_metric([status, str(severity)], count)
        yield incidents
        drops = CounterMetricFamily(
            "copilot_dropped", "Records refused or dropped, by reason.", labels=["what", "source", "reason"]
        )
        for drop in dropped(since=self.now - timedelta(days=3650)):
            drops.add_metric([drop.what, drop.source, drop.reason], drop.count)
        yield drops

    def _queues(self) -> Iterator[Metric]:
        messages = GaugeMetricFamily("copilot_outbox_messages", "Tasks not done yet.", labels=["queue", "state"])
        oldest = GaugeMetricFamily(
            "copilot_outbox_oldest_seconds", "Age of the oldest task not done.", labels=["queue"]
        )
        depth = GaugeMetricFamily("copilot_broker_messages", "Messages that wait in the broker.", labels=["queue"])
        for each in backlogs(now=self.now):
            for state in ("waiting", "published", "running"):
                messages.add_metric([each.queue, state], getattr(each, state))
            oldest.add_metric([each.queue], each.oldest_seconds)
            if each.in_broker is not None:
                depth.add_metric([each.queue], each.in_broker)
        yield from (messages, oldest, depth)
        letters = DeadLetter.objects.filter(retried_at=None).count()
        yield GaugeMetricFamily("copilot_dead_letters", "Tasks given up on that nobody has tried again.", value=letters)
        unsealed = AuditEntry.objects.filter(number=None).count()
        yield GaugeMetricFamily("copilot_audit_unsealed", "Audit entries without a seal yet.", value=unsealed)


def metrics(*, now: datetime, components: dict[str, bool]) -> bytes:
    """Return everything in Prometheus's text format. `components` is name → whether it works."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(now=now, components=components))
    return generate_latest(registry)
