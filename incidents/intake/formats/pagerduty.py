"""PagerDuty's Events API v2: `/v2/enqueue` and `/v2/change/enqueue`, so that only the host changes. Source: its developer documentation."""

from datetime import datetime
from typing import Any

from incidents.intake import notices
from incidents.intake.documents import as_text, clean
from incidents.intake.formats.alertmanager import fingerprint_of
from incidents.intake.notices import AlertNotice, ChangeNotice, Given, Reading, UnusableDelivery

ACTIONS = ("trigger", "acknowledge", "resolve")
CHANGE = "change"  # the event of a delivery to /v2/change/enqueue


def read(document: Any, given: Given) -> Reading:
    """Return the event's alert or change. Raises UnusableDelivery for what PagerDuty calls an invalid event."""
    if not isinstance(document, dict):
        raise UnusableDelivery("The event is not an object.")
    payload = document.get("payload")
    if given.event == CHANGE:
        return Reading(changes=(_change(document, payload, now=given.now),))
    action = as_text(document.get("event_action"))
    if action not in ACTIONS:
        raise UnusableDelivery(
            f"`event_action` is {clean(action, most_bytes=40)!r}; it must be trigger, acknowledge or resolve."
        )
    if action == "acknowledge":
        return Reading(ignored="An acknowledgement changes nothing here: incidents are acknowledged on their page.")
    if action == "resolve":
        if not document.get("dedup_key"):
            raise UnusableDelivery("`dedup_key` is missing; without it nobody knows which alert is resolved.")
        return Reading((_resolved(document),))
    if not isinstance(payload, dict) or not as_text(payload.get("summary")).strip():
        raise UnusableDelivery("`payload.summary` is missing; a trigger needs it.")
    return Reading((_triggered(document, payload, now=given.now),))


def dedup_key_of(reading: Reading) -> str:
    """Return the key that later events of the alert are to carry; empty for anything but an alert."""
    return reading.alerts[0].fingerprint if reading.alerts else ""


def _triggered(document: dict[str, Any], payload: dict[str, Any], *, now: datetime) -> AlertNotice:
    details = payload.get("custom_details")
    labels = notices.texts_of(details)
    for name in ("source", "component", "group", "class"):
        if payload.get(name):
            labels[name] = clean(as_text(payload[name]), most_bytes=notices.MOST_VALUE_BYTES)
    summary = clean(as_text(payload["summary"]), most_bytes=notices.SUMMARY)
    identity = {name: as_text(payload.get(name)) for name in ("summary", "source", "component", "group", "class")}
    at = notices.time_of(payload.get("timestamp"), now=now)
    return AlertNotice(
        fingerprint=fingerprint_of(document.get("dedup_key"), identity),
        name=clean(labels.get("alertname") or labels.get("class") or summary, most_bytes=notices.NAME),
        status="firing",
        at=at,
        starts_at=at,
        summary=summary,
        severity=notices.severity_of(as_text(payload.get("severity"))),
        service=clean(
            notices.first_of(labels, ("service", "component", "app", "group", "source")), most_bytes=notices.SERVICE
        ),
        environment=clean(notices.first_of(labels, notices.ENVIRONMENT_LABELS), most_bytes=notices.ENVIRONMENT),
        team=clean(notices.first_of(labels, notices.TEAM_LABELS), most_bytes=notices.TEAM),
        labels=dict(sorted(labels.items())[: notices.MOST_LABELS]),
        link=_link(document),
        has_user_impact=notices.is_user_impact(labels, {}),
    )


def _resolved(document: dict[str, Any]) -> AlertNotice:
    return AlertNotice(
        fingerprint=fingerprint_of(document["dedup_key"], {}),
        name=clean(as_text(document["dedup_key"]), most_bytes=notices.NAME),
        status="resolved",
        at=None,
        starts_at=None,
    )


def _change(document: dict[str, Any], payload: object, *, now: datetime) -> ChangeNotice:
    if not isinstance(payload, dict) or not as_text(payload.get("summary")).strip():
        raise UnusableDelivery("`payload.summary` is missing; a change event needs it.")
    details = notices.texts_of(payload.get("custom_details"))
    service = notices.first_of(details, notices.SERVICE_LABELS) or as_text(payload.get("source"))
    return ChangeNotice(
        service=clean(service, most_bytes=notices.SERVICE),
        title=clean(as_text(payload["summary"]), most_bytes=300),
        at=notices.time_of(payload.get("timestamp"), now=now),
        kind="other",
        version_after=clean(details.get("version", ""), most_bytes=100),
        environment=clean(notices.first_of(details, notices.ENVIRONMENT_LABELS), most_bytes=notices.ENVIRONMENT),
        link=_link(document),
    )


def _link(document: dict[str, Any]) -> str:
    links = document.get("links")
    first = links[0] if isinstance(links, list) and links else None
    found = notices.web_link(first.get("href")) if isinstance(first, dict) else ""
    return found or notices.web_link(document.get("client_url"))
