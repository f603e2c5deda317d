"""The Celery application: queues, schedules and delivery rules."""

import os
from datetime import timedelta

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "copilot.settings")

TASK_SECONDS = 300  # a task that takes longer is ended
REDELIVERED_AFTER_SECONDS = 900  # longer than any task, or a slow one would be run twice

app = Celery("copilot", task_cls="copilot.delivery:CountedTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_default_queue="intake",
    beat_scheduler="copilot.schedule:LockedScheduler",
    task_ignore_result=True,
    # A task is done when it has ended: one whose worker dies is run again by another.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_time_limit=TASK_SECONDS,
    task_soft_time_limit=TASK_SECONDS - 20,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    # A broker that is away is waited for by workers, and makes a publisher fail fast: the outbox row stays.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    task_publish_retry=False,
    broker_transport_options={
        "visibility_timeout": REDELIVERED_AFTER_SECONDS,
        "socket_connect_timeout": 3,
        "socket_timeout": 10,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.5,
    },
)


def _every(period: timedelta, *, task: str, queue: str) -> dict[str, object]:
    """One entry of the schedule; a run that no worker took before the next is due is dropped."""
    return {"task": task, "schedule": period, "options": {"queue": queue, "expires": period.total_seconds()}}


app.conf.beat_schedule = {
    "detect": _every(settings.DETECT_EVERY, task="incidents.tasks.detect_live", queue="detect"),
    "learn-signals": _every(timedelta(minutes=1), task="incidents.tasks.learn_signals", queue="detect"),
    "drop-old-signals": _every(timedelta(hours=6), task="incidents.tasks.drop_old_signals", queue="detect"),
    "group-waiting": _every(timedelta(seconds=30), task="incidents.tasks.group_waiting", queue="detect"),
    "deliver-due": _every(timedelta(seconds=30), task="incidents.tasks.deliver_due", queue="intake"),
    "drop-old-telemetry": _every(timedelta(minutes=10), task="incidents.tasks.drop_old_telemetry", queue="detect"),
    "add-up-alerts": _every(timedelta(minutes=10), task="incidents.tasks.add_up_alerts", queue="intake"),
    "release-quiet": _every(timedelta(seconds=5), task="incidents.tasks.release_quiet", queue="detect"),
    "drop-old-deliveries": _every(timedelta(minutes=10), task="incidents.tasks.drop_old_deliveries", queue="intake"),
    "embed-pending": _every(timedelta(seconds=5), task="runbooks.tasks.embed_pending", queue="embed"),
    "verify-index": _every(timedelta(hours=1), task="runbooks.tasks.verify_index", queue="embed"),
    "probe-models": _every(timedelta(seconds=30), task="copilot.tasks.probe_models", queue="chat"),
    "reclaim-expired": _every(timedelta(seconds=30), task="copilot.tasks.reclaim_expired", queue="intake"),
}
app.autodiscover_tasks()
