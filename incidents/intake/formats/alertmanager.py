"""Alertmanager's webhook (version 4), which Grafana Alerting speaks as well, with some members of its own.

Sources: Prometheus documentation, Alertmanager configuration, `webhook_config`; Grafana documentation, webhook notifier.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from incidents.intake import notices
from incidents.intake.documents import as_text, clean
from incidents.intake.notices import AlertNotice, Given, Reading, UnusableItem

STATUSES = ("firing", "resolved")


def read(document: Any, given: Given) -> Reading:
    """Return the alerts of one notification. Raises UnusableDelivery when there is no list `alerts`."""
    found, problems = [], []
    items = notices.items_of(document, "alerts")
    for number, item in enumerate(items):
        try:
            found.append(_alert(item, now=given.now))
        except UnusableItem as error:
            problems.append(f"alerts[{number}]: {error}")
    refused = len(problems)
    left_out = document.get("truncatedAlerts")
    if isinstance(left_out, int) and left_out > 0:
        problems.append(f"The sender left out {left_out} alerts (`max_alerts`).")
    return Reading(tuple(found), refused=refused, problems=tuple(problems[: notices.MOST_PROBLEMS]))


def _alert(item: Any, *, now: datetime) -> AlertNotice:
    if not isinstance(item, dict):
        raise UnusableItem("it is not an object.")
    labels, annotations = notices.texts_of(item.get("labels")), notices.texts_of(item.get("annotations"))
    status = as_text(item.get("status")).lower()
    if status not in STATUSES:
        raise UnusableItem(f"`status` is {clean(status, most_bytes=40)!r}; it must be firing or resolved.")
    if not labels:
        raise UnusableItem("`labels` is missing or empty; an alert is known by its labels.")
    starts_at = notices.time_of(item.get("startsAt"), now=now)
    ends_at = notices.time_of(item.get("endsAt"), now=now) if status == "resolved" else None
    summary = notices.first_of(annotations, ("summary", "description", "message", "title"))
    return AlertNotice(
        fingerprint=fingerprint_of(item.get("fingerprint"), labels),
        name=clean(labels.get("alertname") or "Alert without a name", most_bytes=notices.NAME),
        status=status,
        at=ends_at if status == "resolved" else starts_at,
        starts_at=starts_at,
        begins=starts_at is not None,
        summary=clean(summary, most_bytes=notices.SUMMARY),
        severity=notices.severity_of(notices.first_of(labels, ("severity", "priority", "level"))),
        **tags_of(labels),
        labels=labels,
        annotations=annotations,
        link=next(filter(None, (notices.web_link(item.get(key)) for key in _LINKS)), ""),
        has_user_impact=notices.is_user_impact(labels, annotations),
    )


_LINKS = ("panelURL", "dashboardURL", "generatorURL")


def tags_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return service, environment and team as the labels name them, each as long as its column."""
    return {
        "service": clean(notices.first_of(labels, notices.SERVICE_LABELS), most_bytes=notices.SERVICE),
        "environment": clean(notices.first_of(labels, notices.ENVIRONMENT_LABELS), most_bytes=notices.ENVIRONMENT),
        "team": clean(notices.first_of(labels, notices.TEAM_LABELS), most_bytes=notices.TEAM),
    }


def fingerprint_of(given: object, identity: Mapping[str, str]) -> str:
    """Return the sender's fingerprint if it fits, else a digest of it, or of what makes the alert the same one."""
    text = as_text(given)
    if text and len(text) <= notices.FINGERPRINT and text.isascii() and text.isprintable():
        return text
    basis = text.encode("utf-8", "surrogatepass") if text else orjson.dumps(dict(sorted(identity.items())))
    return hashlib.sha256(basis).hexdigest()
