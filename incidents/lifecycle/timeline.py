"""Writing an incident's timeline: when a thing happened and when it became known; and telling those who follow the incident."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from incidents.intake import outbox
from incidents.models import Incident, TimelineEntry, Watch

TEXT_LENGTH = 500
NAME_LENGTH = 150

Kind = TimelineEntry.Kind


def write(
    incident: Incident, *, kind: TimelineEntry.Kind, at: datetime, text: str, now: datetime, actor: str = ""
) -> TimelineEntry:
    """Write one entry, once: the same text at the same time is not repeated. It is known from `now` on, or from `at` when that is later."""
    entry, _ = TimelineEntry.objects.get_or_create(
        incident=incident,
        kind=kind,
        happened_at=at,
        text=text[:TEXT_LENGTH],
        defaults={"known_at": max(now, at), "actor": actor[:NAME_LENGTH]},
    )
    return entry


def write_all(entries: Iterable[TimelineEntry]) -> int:
    """Write many entries in one statement, leaving out those that are there; return how many there were to write."""
    waiting = list(entries)
    for entry in waiting:
        entry.text = entry.text[:TEXT_LENGTH]
        entry.known_at = max(entry.known_at, entry.happened_at)
    TimelineEntry.objects.bulk_create(waiting, ignore_conflicts=True)
    return len(waiting)


def announce(incident: Incident) -> None:
    """Have open pages told, after commit, that the incident or its timeline has changed."""
    outbox.enqueue(task="copilot.tasks.announce", arguments=[incident.pk], queue="intake")


def draft_lessons(incident: Incident) -> None:
    """Have what the incident teaches drafted, after commit; of one that goes on nothing is."""
    outbox.enqueue(task="copilot.tasks.learn", arguments=[incident.pk], queue="investigate")


def tell_watchers(incident: Incident, entry: TimelineEntry) -> None:
    """Have those who follow the incident told of the entry, after commit; asks for nothing when nobody does."""
    mine = Q(incident=incident)
    every = Q(incident=None, at_least_severity__gte=incident.severity) & Q(service__in=["", *incident.services])
    if Watch.objects.filter(mine | every).exists():
        outbox.enqueue(task="incidents.tasks.notify_watchers", arguments=[entry.pk], queue="intake")
