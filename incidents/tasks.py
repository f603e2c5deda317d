"""Celery tasks of the incidents: look at live telemetry, and let old telemetry go. Beat runs them; each may run twice."""

import logging
from functools import cache

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from incidents import monitoring
from incidents.telemetry.backend import TelemetryBackend, TelemetryError
from incidents.telemetry.prometheus import Prometheus
from incidents.telemetry.store import HotStore
from incidents.trends import noise as noise_trends

log = logging.getLogger(__name__)


@shared_task
def detect_live() -> None:
    """Look once at every live source; one that cannot answer keeps none of the others from being looked at."""
    for source in live_sources():
        try:
            monitoring.open_live(store=source, now=timezone.now())
        except TelemetryError as error:
            log.warning("%s was not looked at: %s", source.name, error)


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
