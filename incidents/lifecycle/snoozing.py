"""Snoozing an incident: until then it asks nobody for anything, and its alerts open nothing new; it goes on all the same."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from incidents.lifecycle.stages import ACTIVE, WrongState
from incidents.lifecycle.timeline import Kind, announce, write
from incidents.models import Incident, Silence
from incidents.noise import silences

LONGEST = timedelta(hours=24)
MOST_SILENCES = 20  # different alert names and services of one incident


def snooze(incident: Incident, *, until: datetime, by: User, now: datetime) -> int:
    """Snooze an incident that goes on, and its alerts by name and service. Return how many silences were set.

    Raises WrongState when it is over, ValueError when `until` is not within the next 24 hours.
    """
    if not now < until <= now + LONGEST:
        raise ValueError(f"An incident can be snoozed for at most {LONGEST.total_seconds() / 3600:.0f} hours.")
    with transaction.atomic():
        snoozed = Incident.objects.filter(pk=incident.pk, status__in=ACTIVE).update(snoozed_until_at=until)
        incident.refresh_from_db()
        if not snoozed:
            raise WrongState(
                f"{incident.reference} is {incident.get_status_display().lower()}: there is nothing to snooze."
            )
        kinds = incident.alerts.order_by("name", "service").values_list("name", "service").distinct()[:MOST_SILENCES]
        for name, service in kinds:
            matchers = {"name": name, "service": service} if service else {"name": name}
            reason = f"{incident.reference} is snoozed"
            silences.set_silence(
                silences.Wanted(Silence.Kind.SNOOZE, reason, matchers, starts_at=now, ends_at=until), by=by, now=now
            )
        name = by.get_username()
        said = f"Snoozed until {until:%H:%M} UTC by {name}"
        if kinds:
            said += (
                f", with its alerts {', '.join(name for name, _ in kinds[:3])}{' and others' if len(kinds) > 3 else ''}"
            )
        write(incident, kind=Kind.PERSON, at=now, text=said, actor=name, now=now)
        announce(incident)
    return len(kinds)


def wake(incident: Incident, *, by: User, now: datetime) -> None:
    """End an incident's snooze now, and the silences that came with it. Does nothing when it is not snoozed."""
    with transaction.atomic():
        woken = Incident.objects.filter(pk=incident.pk, snoozed_until_at__gt=now).update(snoozed_until_at=None)
        incident.refresh_from_db()
        if not woken:
            return
        set_then = Silence.objects.filter(
            kind=Silence.Kind.SNOOZE, reason=f"{incident.reference} is snoozed", ends_at__gt=now, ended_early_at=None
        )
        for silence in set_then:
            silences.end(silence, now=now)
        name = by.get_username()
        write(incident, kind=Kind.PERSON, at=now, text=f"Snooze ended by {name}", actor=name, now=now)
        announce(incident)
