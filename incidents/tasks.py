"""Celery tasks of the incidents: telemetry looked at, alerts put into incidents, people told. Each may run twice."""

import logging
from datetime import timedelta
from functools import cache

from celery import shared_task
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from incidents import baselines, delivery, departures, grouping, monitoring, noise, teamwork
from incidents.intake import deliveries
from incidents.models import Alert, AlertSource, TimelineEntry
from incidents.telemetry.backend import TelemetryBackend, TelemetryError
from incidents.telemetry.prometheus import Prometheus
from incidents.telemetry.store import HotStore
from incidents.trends import noise as noise_trends

log = logging.getLogger(__name__)

A_MESSAGE, MOST_ASKED_AGAIN = 100, 2_000
WAITED = timedelta(seconds=30)


@shared_task
def detect_live() -> None:
    """Look once at every live source; one that cannot answer keeps none of the others from being looked at."""
    for source in live_sources():
        try:
            monitoring.open_live(store=source, now=timezone.now())
        except TelemetryError as error:
            log.warning("%s was not looked at: %s", source.name, error)


@shared_task
def learn_signals() -> None:
    """Learn from the built-in store's newest minutes what is usual for each series."""
    baselines.learn(HotStore(settings.DATABASE_URL), now=timezone.now())


@shared_task
def drop_old_signals() -> None:
    """Forget series that have shown nothing for a month."""
    baselines.drop_old(now=timezone.now())
    departures.drop_old(now=timezone.now())


# Alerts are put into incidents one batch at a time: who waits longer than the lock's time-out tries again.
@shared_task(autoretry_for=(OperationalError,), retry_backoff=2, retry_backoff_max=60, max_retries=8)
def group_alerts(alert_ids: list[int]) -> None:
    """Put alerts into incidents, and write what alerts in incidents did."""
    now = timezone.now()
    grouping.place(alert_ids, now=now, quieten=noise.quieten_all)


@shared_task
def release_quiet() -> None:
    """Let alerts count again whose hold, silence or calming time is over."""
    noise.release_due(now=timezone.now())


@shared_task
def drop_old_deliveries() -> None:
    """Let raw deliveries and the alerts' events go that are too old to be of use."""
    deliveries.drop_old(now=timezone.now())


@shared_task
def group_waiting() -> None:
    """Ask again for alerts that fire and belong nowhere though they count: their worker died, or gave up."""
    before = timezone.now() - WAITED
    waiting = Alert.objects.filter(status=Alert.Status.FIRING, incident=None, quiet="", last_received_at__lt=before)
    ids = list(waiting.order_by("-last_received_at").values_list("pk", flat=True)[:MOST_ASKED_AGAIN])
    for start in range(0, len(ids), A_MESSAGE):
        group_alerts.delay(ids[start : start + A_MESSAGE])


@shared_task
def notify_watchers(entry_id: int) -> None:
    """Tell those who follow an incident of an entry in its timeline."""
    entry = TimelineEntry.objects.select_related("incident").filter(pk=entry_id).first()
    if entry is not None:  # an entry that is gone has nothing to tell
        teamwork.notify_watchers(entry, now=timezone.now())


@shared_task
def tell_of_flood(source_id: int) -> None:
    """Tell those who set sources up that one sends more than it may."""
    source = AlertSource.objects.filter(pk=source_id).first()
    if source is not None:
        text = (
            f"sends more than {source.most_per_minute} deliveries a minute. What is beyond that is answered 429 and has to be "
            "sent again; other sources are served as always. Find out why it floods, or raise its limit."
        )
        teamwork.tell_of_source(source, text=text, now=timezone.now())


@shared_task
def deliver(notification_id: int) -> None:
    """Send one notification's copy by e-mail or webhook."""
    delivery.deliver(notification_id, now=timezone.now())


@shared_task
def deliver_due() -> None:
    """Send what is to be tried again, and what a worker never took."""
    for notification_id in delivery.due(now=timezone.now()):
        deliver.delay(notification_id)


@shared_task
def drop_old_telemetry() -> None:
    """Let telemetry go that is older than COPILOT_RETENTION_HOURS."""
    HotStore(settings.DATABASE_URL).drop_older_than(timezone.now() - settings.HOT_STORE_RETENTION)


@shared_task
def add_up_alerts() -> None:
    """Add up the alerts of yesterday and today by name, for the trends."""
    noise_trends.add_up(now=timezone.now())


def live_sources() -> list[TelemetryBackend]:
    """Return what is looked at live: the built-in store, and a Prometheus server if PROMETHEUS_URL names one."""
    sources: list[TelemetryBackend] = [HotStore(settings.DATABASE_URL)]
    if settings.PROMETHEUS_URL:
        sources.append(_prometheus(settings.PROMETHEUS_URL))
    return sources


@cache
def _prometheus(url: str) -> Prometheus:
    """Return this process's client of the server: its connections are used again at the next tick."""
    return Prometheus(url)
