"""What alerting and delivery systems send, as small as it can be and still be theirs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.intake.tokens import issue
from incidents.models import AlertSource

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def source(kind: str = "alertmanager", *, now: datetime = NOW, **fields: Any) -> tuple[AlertSource, str]:
    """A source and its token."""
    made = AlertSource.objects.create(**{"name": f"{kind} of shop", "kind": kind, "created_at": now, **fields})
    return made, issue(made, now=now)


def minutes(number: float, *, after: datetime = NOW) -> datetime:
    return after + timedelta(minutes=number)


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def alertmanager(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A notification of Alertmanager."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="CheckoutErrors"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "copilot",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.shop.example:9093",
        "alerts": list(alerts),
        **more,
    }


def alert(
    fingerprint: str = "a1",
    *,
    name: str = "CheckoutErrors",
    at: datetime = NOW,
    ended: datetime | None = None,
    **labels: str,
) -> dict[str, Any]:
    """One alert of it; resolved when it has ended."""
    return {
        "status": "resolved" if ended else "firing",
        "labels": {"alertname": name, "service": "checkout", "severity": "critical", **labels},
        "annotations": {"summary": "Checkout fails"},
        "startsAt": iso(at),
        "endsAt": iso(ended) if ended else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.shop.example:9090/graph?g0.expr=errors",
        "fingerprint": fingerprint,
    }


def github(state: str, *, at: datetime = NOW, number: int = 17) -> dict[str, Any]:
    """GitHub's deployment_status."""
    return {
        "deployment_status": {"state": state, "log_url": "https://ci.shop.example/17"},
        "deployment": {
            "id": number,
            "ref": "v2.14.0",
            "sha": "0123456789abcdef0123456789abcdef01234567",
            "environment": "production",
            "task": "deploy",
            "payload": {},
            "creator": {"login": "mira"},
            "created_at": iso(at),
        },
        "repository": {
            "name": "payments",
            "full_name": "shop/payments",
            "html_url": "https://github.com/shop/payments",
        },
    }
