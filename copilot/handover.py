"""Briefs for people, written by code: what a joiner has to know, what changed since the last handover, what stakeholders are told.

No model is asked. A stakeholder update names no host, and each of its numbers is looked up in the evidence and the timeline (`doubts`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from copilot.answers import atoms
from copilot.answers.brief import Brief
from copilot.answers.claims import CheckedClaim
from copilot.evidence.bundle import Evidence, EvidenceBundle
from copilot.evidence.wording import clock, joined, span_of_time
from incidents import lifecycle
from incidents.models import Alert, Incident, IncidentRole, StatusUpdate, TimelineEntry
from incidents.teamwork import HANDED_OVER

MOST_LINES = 12
CLAIMS = 3  # of a kind that a brief for people repeats
NEXT_UPDATE = {1: timedelta(minutes=30), 2: timedelta(hours=1), 3: timedelta(hours=4), 4: timedelta(hours=8)}
_WORDS = {1: "A severe outage", 2: "A major problem", 3: "A degradation", 4: "A minor problem"}
# What names a machine, not a service: addresses, names with dots, pods and nodes with generated endings.
_HOST = re.compile(
    r"""\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b
    | \b(?=[\w.-]*[a-z])[\w-]+(?:\.[\w-]+){1,}\.[a-z]{2,}(?::\d+)?\b
    | \b[\w-]+\.(?:local|internal|lan|svc|cluster|com|net|org|io|dev)(?::\d+)?\b
    | \b[a-z][\w-]*-[a-f0-9]{6,10}-[a-z0-9]{5}\b
    | \b(?=[\w-]*\d)(?:ip|node|host|vm|srv|server|worker)-[\w-]+\b""",
    re.IGNORECASE | re.VERBOSE,
)
_ROUTINE = ("Task", "Follow-up", "Status update", "Done:", "Not done", "Split by", "Merged", "Merge of", HANDED_OVER)


@dataclass(frozen=True, slots=True)
class Subject:
    """An incident and what its investigation found; `bundle` and `brief` are None until it is ready."""

    incident: Incident
    bundle: EvidenceBundle | None
    brief: Brief | None


def read_in(subject: Subject, *, now: datetime) -> str:
    """Return what somebody who joins has to know, as lines of plain text; evidence ids stand in brackets."""
    incident, brief = subject.incident, subject.brief
    lines = [
        f"{incident.reference} {incident.title}",
        f"Severity {incident.severity}, {_status(incident)}. {_going_on(incident, now=now)}.",
        f"Affected: {joined(list(incident.services[:8])) or 'not known yet'}.",
        f"Who: {_people(incident)}.",
        *_alerts(incident),
    ]
    if brief is not None:
        lines += _cited("Likely cause", brief.cause[:CLAIMS]) or ["Likely cause: none stands out yet."]
        lines += _cited("Ruled out", brief.ruled_out[:CLAIMS])
    else:
        lines.append("Likely cause: the investigation has not finished.")
    if incident.cause or incident.cause_text:
        lines.append(f"Cause as people decided: {incident.get_cause_display()}. {incident.cause_text}".rstrip())
    lines += _listed("Tried so far", [_line(entry) for entry in _tried(incident)], none="nothing is written down")
    lines += _listed("Open tasks", _tasks(incident), none="none")
    if brief is not None and brief.next_check:
        lines += _cited("Next check", brief.next_check[:1])
    return "\n".join(lines)


def handover(subject: Subject, *, now: datetime) -> str:
    """Return what has changed since command was last handed over, or since the incident opened, and what is still to be done."""
    incident = subject.incident
    since, told = last_handover(incident)
    news = list(
        incident.timeline.filter(known_at__gt=since).exclude(text__startswith=HANDED_OVER).order_by("happened_at", "pk")
    )
    alerts = incident.alerts.filter(first_received_at__gt=since)
    resolved = incident.alerts.filter(status=Alert.Status.RESOLVED, ends_at__gt=since).count()
    done = incident.tasks.filter(done_at__gt=since)
    lines = [
        f"{incident.reference} {incident.title}",
        f"Now: severity {incident.severity}, {_status(incident)}. {_going_on(incident, now=now)}.",
        f"Who: {_people(incident)}.",
        f"Since {clock(since)} UTC ({told}): {len(news)} entries, {alerts.count()} new alerts, {resolved} alerts resolved, {done.count()} tasks done.",
        *(f"- {_line(entry)}" for entry in _most_telling(news)),
    ]
    if len(news) > MOST_LINES:
        lines.append(f"- and {len(news) - MOST_LINES} more in the timeline")
    lines += _listed("Still open", _tasks(incident), none="no task")
    if subject.brief is not None:
        lines += _cited("Likely cause", subject.brief.cause[:1]) + _cited("Next check", subject.brief.next_check[:1])
    return "\n".join(lines)


def stakeholder_draft(subject: Subject, *, now: datetime) -> str:
    """Return a status update in plain words: what happens, since when, who is affected, what is known, what is done, when there is more."""
    incident = subject.incident
    over = incident.status in lifecycle.OVER
    lines = [
        f"{_WORDS[incident.severity]}: {without_hosts(incident.title)}.",
        f"It began at {incident.started_at:%H:%M} UTC on {incident.started_at:%-d %B %Y}{_until(incident)}.",
    ]
    if incident.services:
        lines.append(f"Affected: {joined([without_hosts(name) for name in incident.services[:6]])}.")
    lines.append(_cause_for_all(subject))
    lines.append(_doing(incident))
    if not over:
        lines.append(f"We will say more by {now + NEXT_UPDATE[incident.severity]:%H:%M} UTC.")
    return "\n".join(lines)


def doubts(text: str, subject: Subject, *, now: datetime) -> tuple[str, ...]:
    """Return what in an update should not go out unread: numbers and times that neither evidence nor timeline holds, and names of machines.

    A time of day up to a day ahead is a promise and needs no evidence.
    """
    known = _known_texts(subject)
    numbers = [number for one in known for number in atoms.numbers(one)]
    numbers += [number for item in _items(subject) for number in atoms.statistic_numbers(item.statistic)]
    clocks = [found for one in known for found in atoms.clocks(one)]
    promised = [found for found in atoms.clocks(text) if found.second_of_day // 60 == _minute(now, subject.incident)]
    found = [f"“{host}” names a machine" for host in dict.fromkeys(_HOST.findall(text))]
    plain = _HOST.sub(" ", text)
    found += [
        f"“{number.said}” is in neither the evidence nor the timeline"
        for number in atoms.numbers(plain)
        if not any(number.agrees_with(other) for other in numbers)
    ]
    found += [
        f"“{one.said}” is no time of the evidence or the timeline"
        for one in atoms.clocks(plain)
        if one not in promised and not any(one.agrees_with(other) for other in clocks)
    ]
    return tuple(dict.fromkeys(found))


def without_hosts(text: str) -> str:
    """Return the text with names of machines replaced: stakeholders do not know them, and outsiders should not."""
    return _HOST.sub("one of our systems", text)


def last_handover(incident: Incident) -> tuple[datetime, str]:
    """Return when command was last handed over, and how to say so; the opening when it never was."""
    entry = incident.timeline.filter(text__startswith=HANDED_OVER).order_by("-happened_at").first()
    return (entry.happened_at, "the last handover") if entry else (incident.opened_at, "the opening")


def _minute(now: datetime, incident: Incident) -> int:
    at = now + NEXT_UPDATE[incident.severity]
    return at.hour * 60 + at.minute


def _known_texts(subject: Subject) -> list[str]:
    incident = subject.incident
    texts = [incident.title, incident.cause_text]
    moments = [incident.started_at, incident.opened_at, incident.acknowledged_at, incident.mitigated_at]
    moments += [incident.resolved_at, incident.closed_at]
    texts += [f"{at:%H:%M:%S} {at:%-d} {at:%Y}" for at in moments if at is not None]
    texts += [f"severity {incident.severity} services {len(incident.services)}"]
    for entry in incident.timeline.all():
        texts.append(f"{entry.happened_at:%H:%M:%S} {entry.known_at:%H:%M:%S} {entry.text}")
    texts += [f"{name} {summary}" for name, summary in incident.alerts.values_list("name", "summary")[:200]]
    for item in _items(subject):
        texts += [item.title, item.statement, *item.excerpt]
    return texts


def _items(subject: Subject) -> tuple[Evidence, ...]:
    return subject.bundle.items if subject.bundle else ()


def _status(incident: Incident) -> str:
    at = {
        Incident.Status.ACKNOWLEDGED: incident.acknowledged_at,
        Incident.Status.MITIGATED: incident.mitigated_at,
        Incident.Status.RESOLVED: incident.resolved_at,
        Incident.Status.CLOSED: incident.closed_at,
    }.get(Incident.Status(incident.status))
    label = incident.get_status_display().lower()
    return f"{label} since {clock(at)} UTC" if at else f"{label}, acknowledged by nobody yet"


def _going_on(incident: Incident, *, now: datetime) -> str:
    end = incident.resolved_at or incident.closed_at
    since = f"since {clock(incident.started_at)} UTC, {incident.started_at:%-d %B %Y}"
    if end is not None:
        return f"It lasted {span_of_time(end - incident.started_at)}, {since}"
    return f"Going on for {span_of_time(now - incident.started_at)}, {since}"


def _until(incident: Incident) -> str:
    end = incident.resolved_at or incident.mitigated_at
    return f" and ended at {end:%H:%M} UTC" if end else ""


def _people(incident: Incident) -> str:
    held = list(incident.roles.filter(until_at=None).select_related("user"))
    parts = []
    for role in (IncidentRole.Role.COMMANDER, IncidentRole.Role.COMMUNICATIONS, IncidentRole.Role.SCRIBE):
        holder = next((one for one in held if one.role == role), None)
        if holder is not None:
            parts.append(f"{role.label.lower()} {holder.user.get_username()} since {clock(holder.since_at)} UTC")
        elif role == IncidentRole.Role.COMMANDER:
            parts.append("no commander")
    responders = [one.user.get_username() for one in held if one.role == IncidentRole.Role.RESPONDER]
    if responders:
        parts.append(f"responders {joined(responders)}")
    return "; ".join(parts)


def _alerts(incident: Incident) -> list[str]:
    total = incident.alerts.count()
    if not total:
        return []
    firing = incident.alerts.filter(status=Alert.Status.FIRING).count()
    return [f"Alerts: {firing} of {total} still firing."]


def _tried(incident: Incident) -> list[TimelineEntry]:
    """Return what people wrote down themselves, without the program's own lines on what they pressed."""
    notes = [
        entry
        for entry in incident.timeline.filter(kind=TimelineEntry.Kind.PERSON)
        if entry.actor and not entry.text.startswith(_ROUTINE) and entry.actor not in entry.text
    ]
    return notes[-MOST_LINES:]


def _tasks(incident: Incident) -> list[str]:
    waiting = incident.tasks.filter(done_at=None).select_related("assignee")
    return [
        f"{task.text}{f' ({task.assignee.get_username()})' if task.assignee else ' (nobody yet)'}"
        for task in waiting[:MOST_LINES]
    ]


def _most_telling(entries: Sequence[TimelineEntry]) -> list[TimelineEntry]:
    """Return at most twelve, people's first, in the order in which they happened."""
    kinds = TimelineEntry.Kind
    rank = {kinds.PERSON: 0, kinds.CHANGE: 1, kinds.COPILOT: 2, kinds.FAULT: 3, kinds.ALERT: 4}
    kept = sorted(entries, key=lambda entry: (rank[kinds(entry.kind)], -entry.happened_at.timestamp()))[:MOST_LINES]
    return sorted(kept, key=lambda entry: entry.happened_at)


def _line(entry: TimelineEntry) -> str:
    who = f"{entry.actor}: " if entry.actor and entry.actor not in entry.text else ""
    return f"{clock(entry.happened_at)} {who}{entry.text}"


def _cited(label: str, claims: Iterable[CheckedClaim]) -> list[str]:
    said = [f"{claim.text} [{' '.join(claim.cites)}]" if claim.cites else claim.text for claim in claims]
    return [f"{label}: {said[0]}"] if len(said) == 1 else [f"{label}:", *(f"- {one}" for one in said)] if said else []


def _listed(label: str, lines: Sequence[str], *, none: str) -> list[str]:
    return [f"{label}:", *(f"- {line}" for line in lines)] if lines else [f"{label}: {none}."]


def _cause_for_all(subject: Subject) -> str:
    incident = subject.incident
    if incident.cause and incident.cause != Incident.Cause.FALSE_ALARM:
        said = f": {without_hosts(incident.cause_text)}" if incident.cause_text else ""
        return f"We know the cause, {incident.get_cause_display().lower()}{said}."
    likely = next((h.service for h in subject.bundle.hypotheses if h.verdict == "likely"), "") if subject.bundle else ""
    if likely:
        return f"The cause is probably in {without_hosts(likely)}; we are making sure."
    return "The cause is not known yet; we are looking for it."


def _doing(incident: Incident) -> str:
    if incident.resolved_at:
        return "The problem is over. We will look into how to prevent it."
    if incident.mitigated_at:
        return f"Users are no longer affected since {incident.mitigated_at:%H:%M} UTC; we are mending the cause."
    if incident.acknowledged_at:
        return f"A team has been working on it since {incident.acknowledged_at:%H:%M} UTC."
    return "It was detected automatically and a team is being called."


def latest_update(incident: Incident) -> StatusUpdate | None:
    """Return what stakeholders were told last."""
    return incident.status_updates.exclude(published_at=None).order_by("-published_at").first()
