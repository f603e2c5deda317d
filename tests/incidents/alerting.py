"""Alerts as intake writes them, for what comes after it. The clock starts at 02:00 UTC on 22 November 2026."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from incidents.models import Alert, AlertEvent, AlertSource

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
_numbers = count()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def source(name: str = "prod alertmanager") -> AlertSource:
    found, _ = AlertSource.objects.get_or_create(name=name, defaults={"kind": "alertmanager", "created_at": START})
    return found


def alert(name: str = "HighErrorRate", *, service: str = "payments", started: float = 0, **fields: Any) -> Alert:
    """An alert that fires since `started` seconds and was received a second later."""
    began = at(started)
    labels = {"alertname": name, "service": service, "cluster": "eu-1", **fields.pop("labels", {})}
    made = Alert.objects.create(
        **{
            "source": source(),
            "fingerprint": f"fp-{next(_numbers)}",
            "name": name,
            "service": service,
            "environment": "prod",
            "labels": labels,
            "status": Alert.Status.FIRING,
            "severity": 3,
            "starts_at": began,
            "last_event_at": began,
            "first_received_at": at(started + 1),
            "last_received_at": at(started + 1),
            **fields,
        }
    )
    AlertEvent.objects.create(alert=made, status=made.status, at=began, received_at=at(started + 1))
    return made


def change(alert: Alert, status: Alert.Status, seconds: float) -> Alert:
    """Let the alert resolve or fire again."""
    AlertEvent.objects.create(alert=alert, status=status, at=at(seconds), received_at=at(seconds + 1))
    alert.status, alert.last_event_at, alert.last_received_at = status, at(seconds), at(seconds + 1)
    if status == Alert.Status.FIRING:
        alert.episodes, alert.starts_at, alert.ends_at = alert.episodes + 1, at(seconds), None
    else:
        alert.ends_at = at(seconds)
    alert.save()
    return alert
