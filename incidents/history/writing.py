"""Keeps the made-up year as rows, in bulk, and removes every one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction

from incidents.history.invention import Chirp, Story, chirps, confirmations, stories, trials
from incidents.history.world import CREWS, PREFIX, SOURCE, SUFFIX
from incidents.models import (
    Alert,
    AlertDay,
    AlertEvent,
    AlertMonth,
    AlertSource,
    ConfirmedCause,
    GroupingDecision,
    Incident,
    IncidentRole,
    Lesson,
    Team,
    TimelineEntry,
)

BATCH = 2_000
MOST_DAYS, MOST_INCIDENTS = 800, 100_000
Status = Incident.Status
Kind = TimelineEntry.Kind
Outcome = GroupingDecision.Outcome


class HistoryRefused(Exception):
    """The made-up year was not written. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows there are now."""

    incidents: int
    alerts: int
    firings: int


@dataclass(frozen=True, slots=True)
class _Firing:
    """One episode of an alert, and what it belongs to: a story's position, or None for one without an incident."""

    name: str
    service: str
    team: str
    instance: int
    at: datetime
    until: datetime | None
    story: int | None
    outcome: str


def write(*, days: int, incidents: int, seed: int, now: datetime) -> Written:
    """Write a made-up time that ends `now`. Raises HistoryRefused when there is one already, or the numbers are out of bounds."""
    if not (7 <= days <= MOST_DAYS and 1 <= incidents <= min(MOST_INCIDENTS, days * 24)):
        raise HistoryRefused(
            f"{incidents} incidents in {days} days: give 7 to {MOST_DAYS} days, and 1 to {MOST_INCIDENTS} incidents, at most 24 a day."
        )
    if Incident.objects.filter(is_demo=True).exists() or AlertSource.objects.filter(name=SOURCE).exists():
        raise HistoryRefused("There is a made-up history already. Remove it first: manage.py seed_history --remove")
    told = stories(days=days, incidents=incidents, seed=seed, now=now)
    with transaction.atomic():
        teams, people = _cast()
        rows = _incidents(told, teams)
        _roles(told, rows, people)
        ConfirmedCause.objects.bulk_create(_causes(told, rows, seed=seed), batch_size=BATCH)
        Lesson.objects.bulk_create(_lessons(told, rows, seed=seed), batch_size=BATCH, ignore_conflicts=True)
        TimelineEntry.objects.bulk_create(_timeline(told, rows), batch_size=BATCH, ignore_conflicts=True)
        firings = [*_firings(told), *_chirping(chirps(days=days, seed=seed, now=now))]
        alerts = _alerts(firings, rows, now=now)
    return Written(len(rows), alerts, len(firings))


def remove() -> int:
    """Remove everything made up. Return how many incidents that were."""
    with transaction.atomic():
        GroupingDecision.objects.filter(alert__is_demo=True).delete()
        GroupingDecision.objects.filter(incident__is_demo=True).delete()
        AlertSource.objects.filter(name=SOURCE).delete()  # with its alerts and their events
        gone = Incident.objects.filter(is_demo=True).count()
        Incident.objects.filter(is_demo=True).delete()
        AlertDay.objects.filter(is_demo=True).delete()
        AlertMonth.objects.filter(is_demo=True).delete()
        Team.objects.filter(name__in=[crew.name for crew in CREWS], name__endswith=SUFFIX).delete()
        User.objects.filter(username__in=[p for crew in CREWS for p in crew.people], is_active=False).delete()
    return gone


def _cast() -> tuple[dict[str, Team], dict[str, User]]:
    names = sorted({person for crew in CREWS for person in crew.people})
    # Nobody can sign in as one of them: not active, and a password that matches nothing.
    User.objects.bulk_create(
        (
            User(
                username=name,
                first_name=name.removeprefix(PREFIX).title() + SUFFIX,
                password=make_password(None),
                is_active=False,
            )
            for name in names
        ),
        ignore_conflicts=True,
    )
    people = {user.username: user for user in User.objects.filter(username__in=names)}
    teams = {}
    for crew in CREWS:
        team, _ = Team.objects.get_or_create(
            name=crew.name,
            defaults={"time_zone": crew.zone, "works_from": crew.works_from, "works_until": crew.works_until},
        )
        team.members.set([people[name] for name in crew.people])
        teams[crew.name] = team
    return teams, people


def _incidents(told: Sequence[Story], teams: dict[str, Team]) -> list[Incident]:
    rows = Incident.objects.bulk_create((_incident(story, teams) for story in told), batch_size=BATCH)
    merged = []
    for row, story in zip(rows, told, strict=True):
        if story.merged_into is not None:
            row.merged_into = rows[story.merged_into]
            merged.append(row)
    Incident.objects.bulk_update(merged, ["merged_into"], batch_size=BATCH)
    return rows


def _incident(story: Story, teams: dict[str, Team]) -> Incident:
    is_over = story.resolved_at is not None
    return Incident(
        title=story.title,
        status=_status(story),
        severity=story.severity,
        services=list(story.services),
        started_at=story.started_at,
        opened_at=story.opened_at,
        acknowledged_at=story.acknowledged_at,
        mitigated_at=story.mitigated_at,
        resolved_at=story.resolved_at,
        closed_at=story.resolved_at + timedelta(days=3) if story.resolved_at and story.is_closed else None,
        team=teams[story.crew.name],
        # A cause is known once somebody has looked, not while it goes on.
        cause=story.trouble.cause if is_over else "",
        cause_text=story.trouble.text if is_over else "",
        tags=list(story.tags),
        is_demo=True,
        last_anomaly_at=story.mitigated_at or story.resolved_at or story.opened_at,
    )


def _status(story: Story) -> Incident.Status:
    if story.resolved_at is not None:
        return Status.CLOSED if story.is_closed else Status.RESOLVED
    if story.mitigated_at is not None:
        return Status.MITIGATED
    return Status.ACKNOWLEDGED if story.acknowledged_at is not None else Status.OPEN


def _roles(told: Sequence[Story], rows: Sequence[Incident], people: dict[str, User]) -> None:
    IncidentRole.objects.bulk_create(
        (
            IncidentRole(
                incident=row, user=people[part.person], role=part.role, since_at=part.since_at, until_at=part.until_at
            )
            for row, story in zip(rows, told, strict=True)
            for part in story.parts
            if part.person in people
        ),
        batch_size=BATCH,
    )


def _causes(told: Sequence[Story], rows: Sequence[Incident], *, seed: int) -> Iterator[ConfirmedCause]:
    for place, made in confirmations(told, seed=seed):
        story = told[place]
        if story.resolved_at is not None:
            yield ConfirmedCause(
                incident=rows[place],
                service=made.service,
                family=made.family,
                confirmed_at=story.resolved_at,
                confirmed_by=story.parts[0].person if story.parts else story.crew.people[0],
                changed_at=story.resolved_at,
                stated_service=made.stated_service,
                stated_certainty=made.certainty,
                stated_chance=made.chance,
                stated_confidence=made.confidence,
            )


def _lessons(told: Sequence[Story], rows: Sequence[Incident], *, seed: int) -> Iterator[Lesson]:
    for place, kind, text in trials(told, seed=seed):
        story = told[place]
        if story.resolved_at is not None:
            person = story.parts[0].person if story.parts else story.crew.people[0]
            yield Lesson(
                incident=rows[place],
                kind=kind,
                service=story.services[0],
                text=text,
                told_at=story.resolved_at,
                told_by=person,
            )


def _timeline(told: Sequence[Story], rows: Sequence[Incident]) -> Iterator[TimelineEntry]:
    for row, story in zip(rows, told, strict=True):
        first = story.parts[0].person if story.parts else ""
        moments = (
            (Kind.FAULT, story.started_at, story.opened_at, f"Begins: {story.title}", ""),
            (Kind.COPILOT, story.opened_at, story.opened_at, f"Opened from {story.alerts} alerts", ""),
            (Kind.PERSON, story.acknowledged_at, None, f"Acknowledged by {first}", first),
            (Kind.PERSON, story.mitigated_at, None, f"Mitigated by {first}", first),
            (Kind.PERSON, story.reopened_at, None, f"Reopened by {first}: it came back", first),
            (Kind.PERSON, story.resolved_at, None, f"Resolved by {first}", first),
        )
        for kind, at, known_at, text, actor in moments:
            if at is not None:
                yield TimelineEntry(
                    incident=row, kind=kind, happened_at=at, known_at=known_at or at, text=text, actor=actor
                )


def _firings(told: Sequence[Story]) -> Iterator[_Firing]:
    names = ("HighErrorRatio", "SlowRequests", "ProbeFailed", "QueueLong")
    for position, story in enumerate(told):
        for number in range(story.alerts):
            yield _Firing(
                name=story.trouble.alert if number == 0 else names[number % len(names)],
                service=story.services[number % len(story.services)],
                team=story.crew.name,
                instance=number // 3,
                at=story.opened_at + timedelta(seconds=40 * number) if number else story.opened_at,
                until=story.mitigated_at or story.resolved_at,
                story=position,
                outcome=Outcome.OPENED if number == 0 else Outcome.JOINED,
            )


def _chirping(chirped: Sequence[Chirp]) -> Iterator[_Firing]:
    for chirp in chirped:
        until = chirp.at + timedelta(minutes=chirp.minutes)
        yield _Firing(chirp.name, chirp.service, chirp.team, 0, chirp.at, until, None, chirp.outcome)


def _alerts(firings: Sequence[_Firing], rows: Sequence[Incident], *, now: datetime) -> int:
    """Write an alert for each name, service and instance, its changes, and the decisions on it. Return how many alerts."""
    source = AlertSource.objects.create(
        name=SOURCE, kind=AlertSource.Kind.GENERIC, is_enabled=False, created_at=now, last_received_at=now
    )
    of_alert: dict[tuple[str, str, int], list[_Firing]] = defaultdict(list)
    for firing in sorted(firings, key=lambda firing: firing.at):
        episodes = of_alert[firing.name, firing.service, firing.instance]
        # What fires already does not begin again.
        if firing.at < now and not (episodes and (episodes[-1].until is None or episodes[-1].until >= firing.at)):
            episodes.append(firing)
    told = [(_alert(source, episodes, rows), episodes) for episodes in of_alert.values() if episodes]
    Alert.objects.bulk_create((alert for alert, _ in told), batch_size=BATCH)
    AlertEvent.objects.bulk_create(_events(told, now=now), batch_size=BATCH, ignore_conflicts=True)
    GroupingDecision.objects.bulk_create(_decisions(told, rows), batch_size=BATCH)
    return len(told)


def _alert(source: AlertSource, episodes: Sequence[_Firing], rows: Sequence[Incident]) -> Alert:
    first, last = episodes[0], episodes[-1]
    last_at = last.until or last.at
    return Alert(
        source=source,
        fingerprint=f"{last.name}/{last.service}/{last.instance}"[:64],
        name=last.name,
        summary=f"{last.name} at {last.service}-{last.instance}",
        service=last.service,
        team=last.team,
        labels={"alertname": last.name, "service": last.service, "instance": str(last.instance)},
        status=Alert.Status.RESOLVED if last.until else Alert.Status.FIRING,
        starts_at=last.at,
        ends_at=last.until,
        last_event_at=last_at,
        first_received_at=first.at,
        last_received_at=last_at,
        deliveries=2 * len(episodes),
        episodes=len(episodes),
        incident=None if last.story is None else rows[last.story],
        is_demo=True,
    )


def _events(told: Sequence[tuple[Alert, Sequence[_Firing]]], *, now: datetime) -> Iterator[AlertEvent]:
    changes = [
        AlertEvent(alert=alert, status=status, at=at, received_at=at)
        for alert, episodes in told
        for firing in episodes
        for status, at in ((Alert.Status.FIRING, firing.at), (Alert.Status.RESOLVED, firing.until))
        if at is not None and at <= now
    ]
    yield from sorted(changes, key=lambda change: change.received_at)


def _decisions(told: Sequence[tuple[Alert, Sequence[_Firing]]], rows: Sequence[Incident]) -> Iterator[GroupingDecision]:
    said = {
        Outcome.OPENED: "opened an incident: nothing else was going on there",
        Outcome.JOINED: "joined the incident of the same service",
        Outcome.HELD: "was held back: it usually resolves itself",
        Outcome.SILENCED: "was silenced by a maintenance window",
    }
    for alert, episodes in told:
        for firing in episodes:
            if firing.outcome:
                yield GroupingDecision(
                    incident=None if firing.story is None else rows[firing.story],
                    alert=alert,
                    subject=f"{alert.name} at {alert.service}",
                    outcome=firing.outcome,
                    sentence=f"{alert.name} at {alert.service} {said[Outcome(firing.outcome)]} (made up).",
                    decided_at=firing.at,
                )
