"""Incidents with known times, for the trends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.models import Incident
from incidents.trends import recent
from incidents.trends.population import Choice

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)  # a Friday
CHOICE = Choice(start=NOW - timedelta(days=90), end=NOW)


def incident(*, days_ago: float = 10, minutes: float | None = 30, **changes: Any) -> Incident:
    """One that opened two minutes after it started, was acknowledged after five more, and lasted so many; None goes on."""
    started = NOW - timedelta(days=days_ago)
    resolved = None if minutes is None else started + timedelta(minutes=minutes)
    usual: dict[str, Any] = {
        "title": "checkout: 12 % of requests fail",
        "severity": 2,
        "services": ["checkout"],
        "status": "open" if minutes is None else "resolved",
        "started_at": started,
        "opened_at": started + timedelta(minutes=2),
        "acknowledged_at": started + timedelta(minutes=7),
        "resolved_at": resolved,
        "last_anomaly_at": started,
    }
    recent.forget_all()  # what the test asks for next has this one in it
    return Incident.objects.create(**{**usual, **changes})
