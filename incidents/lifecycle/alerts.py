"""An incident opened or joined by alerts; what alerts do later is written into its timeline."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from incidents.lifecycle.episodes import SERVICE_LENGTH, note_recovery
from incidents.lifecycle.groups import LIVE, TITLE_LENGTH, begin, team_of
from incidents.lifecycle.stages import OVER, WrongState
from incidents.lifecycle.timeline import Kind, announce, tell_watchers, write, write_all
from incidents.models import Alert, AlertEvent, Incident, TimelineEntry

ENTRIES_EACH = 5  # alerts of one batch that the timeline names one by one; more are summed up
ENTRIES_BY_NAME, MOST_ENTRIES = 20, 60  # of one incident's timeline
MOST_SERVICES = 200
MOST_EVENTS = 200
TITLE_WORDS = 120  # characters of an alert's summary in a title


def open_for_alerts(alerts: Sequence[Alert], *, now: datetime, title: str = "", tags: Sequence[str] = ()) -> Incident:
    """Open an incident for alerts that belong together; they must not be empty. It begins when the earliest began, by our clock at the latest.

    An investigation is asked for with it. The caller holds the lock of the live source (`one_at_a_time`) and has decided that it is so.
    """
    with transaction.atomic():
        worst = min(alerts, key=lambda alert: (alert.severity, alert.starts_at))
        services = _services(alerts)
        incident = Incident.objects.create(
            title=(title or title_for(worst))[:TITLE_LENGTH],
            severity=worst.severity,
            services=services,
            source=LIVE,
            team=team_of(services, told=[alert.team for alert in alerts]),
            tags=list(tags),
            is_demo=all(alert.is_demo for alert in alerts),
            started_at=min(began(alert, now=now) for alert in alerts),
            opened_at=now,
            last_anomaly_at=max(_news(alert, now=now) for alert in alerts),
        )
        _take(incident, alerts)
        _note_firing(incident, alerts, now=now)
        begin(incident, opening=incident.title, now=now)
        announce(incident)
    return incident


def join_alerts(incident: Incident, alerts: Sequence[Alert], *, now: datetime) -> Incident:
    """Put alerts into an incident; severity only rises. Raises WrongState when the incident is over: they need another one."""
    with transaction.atomic():
        incident = Incident.objects.select_for_update().get(pk=incident.pk)
        if incident.status in OVER:
            raise WrongState(f"{incident.reference} is {incident.get_status_display().lower()}, so nothing joins it.")
        _take(incident, alerts)
        _note_firing(incident, alerts, now=now)
        added = [name for name in _services(alerts) if name not in incident.services]
        if added:
            since = min(began(alert, now=now) for alert in alerts if alert.service[:SERVICE_LENGTH] in added)
            text = f"Also affected: {', '.join(added[:10])}{f' and {len(added) - 10} more' if len(added) > 10 else ''}"
            write(incident, kind=Kind.ALERT, at=since, text=text, now=now)
        worst = min(alerts, key=lambda alert: alert.severity)
        if worst.severity < incident.severity:
            _raise_severity(incident, worst, now=now)
        incident.services = [*incident.services, *added][:MOST_SERVICES]
        incident.last_anomaly_at = max(incident.last_anomaly_at, *(_news(alert, now=now) for alert in alerts))
        incident.save(update_fields=["services", "severity", "last_anomaly_at"])
        announce(incident)
    return incident


def note_alerts(alerts: Collection[Alert], *, now: datetime) -> int:
    """Write what alerts in incidents did since they joined: resolved, fired again. Return how many entries there were to write.

    Safe to repeat: the same event is written once. A flapping or silenced alert writes nothing until it counts again.
    """
    inside = {alert.pk: alert for alert in alerts if alert.incident is not None and not alert.quiet}
    events = AlertEvent.objects.filter(alert__in=inside).order_by("-received_at")[:MOST_EVENTS]
    entries, touched = [], {}
    for event in events:
        alert = inside[event.alert_id]
        incident = alert.incident
        if incident is None or incident.status in OVER or event.received_at < incident.opened_at - timedelta(seconds=1):
            continue
        again = event.status == Alert.Status.FIRING
        if again and (alert.episodes == 1 or event.at <= incident.started_at):
            continue  # it is what it joined with
        text = f"{'Fires again' if again else 'Resolved'}: {name_of(alert)}"
        at = min(event.at, event.received_at)
        entries.append(
            TimelineEntry(incident=incident, kind=Kind.ALERT, happened_at=at, known_at=event.received_at, text=text)
        )
        touched[incident.pk] = incident
    if not entries:
        return 0
    with transaction.atomic():
        before = TimelineEntry.objects.filter(incident__in=touched).count()
        write_all(entries)
        for incident in touched.values():
            latest = max(entry.happened_at for entry in entries if entry.incident_id == incident.pk)
            Incident.objects.filter(pk=incident.pk, last_anomaly_at__lt=latest).update(last_anomaly_at=latest)
            note_recovery(incident, now=now)
        if TimelineEntry.objects.filter(incident__in=touched).count() > before:
            for incident in touched.values():
                announce(incident)
    return len(entries)


def title_for(alert: Alert) -> str:
    """Return what an incident is called after an alert: where, and what it says."""
    said = alert.summary or alert.name
    said = said if len(said) <= TITLE_WORDS else f"{said[: TITLE_WORDS - 1]}…"
    return said if not alert.service or alert.service in said else f"{alert.service}: {said}"


def name_of(alert: Alert) -> str:
    """Return an alert's name and place as one line says it."""
    return f"{alert.name}{f' at {alert.service}' if alert.service else ''}"


def began(alert: Alert, *, now: datetime) -> datetime:
    """Return when the alert began, never later than it was received: the sender's clock may be ahead."""
    return min(alert.starts_at, alert.last_received_at, now)


def _take(incident: Incident, alerts: Sequence[Alert]) -> None:
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(incident=incident)
    for alert in alerts:
        alert.incident = incident


def _services(alerts: Sequence[Alert]) -> list[str]:
    """Return the alerts' services, those with the gravest alerts first."""
    ordered = sorted(alerts, key=lambda alert: (alert.severity, alert.starts_at))
    return list(dict.fromkeys(alert.service[:SERVICE_LENGTH] for alert in ordered if alert.service))[:MOST_SERVICES]


def _news(alert: Alert, *, now: datetime) -> datetime:
    return min(max(alert.starts_at, alert.last_event_at), alert.last_received_at, now)


def _note_firing(incident: Incident, alerts: Sequence[Alert], *, now: datetime) -> None:
    """Write the gravest alerts one by one and sum up the rest, so that a storm does not bury what people wrote."""
    written = incident.timeline.filter(kind=Kind.ALERT).count()
    if written >= MOST_ENTRIES:
        return  # the list of alerts has them all
    ordered = sorted(alerts, key=lambda alert: (alert.severity, alert.starts_at, alert.pk))
    one_by_one = ENTRIES_EACH if written < ENTRIES_BY_NAME else 0
    entries = [
        TimelineEntry(
            incident=incident,
            kind=Kind.ALERT,
            happened_at=began(alert, now=now),
            known_at=min(alert.last_received_at, now),
            text=f"Alert: {name_of(alert)}{f': {alert.summary}' if alert.summary else ''}",
        )
        for alert in ordered[:one_by_one]
    ]
    if rest := ordered[one_by_one:]:
        names = Counter(alert.name for alert in rest).most_common(4)
        said = ", ".join(f"{name} × {count}" for name, count in names)
        at = min(began(alert, now=now) for alert in rest)
        services = len({alert.service for alert in rest if alert.service})
        text = f"{len(rest)} more alerts at {services} service{'' if services == 1 else 's'}: {said}"
        entries.append(TimelineEntry(incident=incident, kind=Kind.ALERT, happened_at=at, known_at=now, text=text))
    write_all(entries)


def _raise_severity(incident: Incident, worst: Alert, *, now: datetime) -> None:
    text = f"Severity raised from {incident.severity} to {worst.severity}: {name_of(worst)}"
    incident.severity = worst.severity
    entry = write(incident, kind=Kind.COPILOT, at=now, text=text, now=now)
    tell_watchers(incident, entry)
