"""What people set right about an incident: severity, services, tags, cause, team, title, and who may see it. Each writes the timeline."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from incidents.lifecycle.groups import TITLE_LENGTH
from incidents.lifecycle.timeline import Kind, announce, tell_watchers, write
from incidents.models import Incident, Team

CAUSE_LENGTH, TAG_LENGTH, SERVICE_LENGTH, REASON_LENGTH = 500, 50, 200, 300
MOST_TAGS, MOST_SERVICES = 20, 200


class NotPossible(ValueError):
    """What was given cannot be set. The message says which value, and what is allowed."""


def set_severity(incident: Incident, *, severity: int, reason: str, by: str, now: datetime) -> Incident:
    """Change the severity, 1 (worst) to 4, for a reason that the timeline keeps. Raises NotPossible."""
    if severity not in range(1, 5):
        raise NotPossible(f"Severity {severity} does not exist; 1 is the worst, 4 the least.")
    if not reason.strip():
        raise NotPossible("Say why the severity changes: the next person will ask.")
    if severity == incident.severity:
        return incident
    text = f"Severity {incident.severity} → {severity} by {by}: {reason.strip()[:REASON_LENGTH]}"
    return _set(incident, {"severity": severity}, text=text, by=by, now=now)


def set_title(incident: Incident, *, title: str, by: str, now: datetime) -> Incident:
    """Give the incident another title. Raises NotPossible when it is empty."""
    wanted = " ".join(title.split())[:TITLE_LENGTH]
    if not wanted:
        raise NotPossible("The title is empty: say what is wrong and where.")
    if wanted == incident.title:
        return incident
    return _set(incident, {"title": wanted}, text=f"Renamed by {by}: {wanted}", by=by, now=now)


def set_services(incident: Incident, *, services: Sequence[str], by: str, now: datetime) -> Incident:
    """Say which services are affected, the most affected first. Raises NotPossible when there are more than 200."""
    wanted = _words(services, length=SERVICE_LENGTH, most=MOST_SERVICES, what="services")
    if wanted == incident.services:
        return incident
    text = f"Affected services set by {by}: {', '.join(wanted[:10]) or 'none'}"
    return _set(incident, {"services": wanted}, text=text, by=by, now=now)


def set_tags(incident: Incident, *, tags: Sequence[str], by: str, now: datetime) -> Incident:
    """Tag the incident with at most 20 words. Raises NotPossible for more."""
    wanted = _words(tags, length=TAG_LENGTH, most=MOST_TAGS, what="tags")
    if wanted == incident.tags:
        return incident
    return _set(incident, {"tags": wanted}, text=f"Tags set by {by}: {', '.join(wanted) or 'none'}", by=by, now=now)


def set_cause(incident: Incident, *, cause: str, text: str, by: str, now: datetime) -> Incident:
    """Say what it came from, as people decided, with their words. Raises NotPossible for a cause that does not exist."""
    if cause not in Incident.Cause.values:
        allowed = ", ".join(value for value in Incident.Cause.values if value)
        raise NotPossible(f"Cause {cause!r} does not exist; there are {allowed}, or nothing while it is not known.")
    words = text.strip()[:CAUSE_LENGTH]
    if (cause, words) == (incident.cause, incident.cause_text):
        return incident
    said = f"Cause: {Incident.Cause(cause).label}{f', {words}' if words else ''}, by {by}"
    return _set(incident, {"cause": cause, "cause_text": words}, text=said, by=by, now=now)


def set_team(incident: Incident, *, team: Team | None, by: str, now: datetime) -> Incident:
    """Hand the incident to a team, or to none."""
    if team == incident.team:
        return incident
    return _set(incident, {"team": team}, text=f"Team: {team or 'none'}, by {by}", by=by, now=now)


def restrict(incident: Incident, *, restricted: bool, by: str, now: datetime) -> Incident:
    """Say whether only those with part in it, its team and those with the permission may see the incident."""
    if restricted == incident.is_restricted:
        return incident
    text = f"{'Restricted' if restricted else 'Opened to everybody'} by {by}"
    return _set(incident, {"is_restricted": restricted}, text=text, by=by, now=now)


def _set(incident: Incident, changes: dict[str, object], *, text: str, by: str, now: datetime) -> Incident:
    with transaction.atomic():
        Incident.objects.filter(pk=incident.pk).update(**changes)
        incident.refresh_from_db()
        entry = write(incident, kind=Kind.PERSON, at=now, text=text, actor=by, now=now)
        if "severity" in changes:
            tell_watchers(incident, entry)
        announce(incident)
    return incident


def _words(given: Sequence[str], *, length: int, most: int, what: str) -> list[str]:
    wanted = list(dict.fromkeys(word.strip()[:length] for word in given if word.strip()))
    if len(wanted) > most:
        raise NotPossible(f"{len(wanted)} {what} are too many: at most {most}.")
    return wanted
