"""Who works on an incident and what is to be done; who follows one and what they are told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q

from incidents.intake import outbox
from incidents.lifecycle import NotPossible
from incidents.lifecycle.timeline import Kind, announce, tell_watchers, write
from incidents.models import (
    AlertSource,
    Incident,
    IncidentRole,
    IncidentTask,
    Notification,
    NotificationChannel,
    StatusUpdate,
    TimelineEntry,
    Watch,
)

Role = IncidentRole.Role
TASK_LENGTH, TEXT_LENGTH, UPDATE_LENGTH = 300, 500, 10_000
MOST_TASKS = 200
MOST_CHANNELS, MOST_WATCHES = 10, 100  # of one person
MOST_TOLD = 1_000  # people told of one entry
DELIVER = "incidents.tasks.deliver"
RING = "copilot.tasks.ring"
HANDED_OVER = "Command handed over"


def take_role(incident: Incident, *, role: str, user: User, by: str, now: datetime) -> IncidentRole:
    """Give somebody a part; command, communications and scribe have one holder, and whoever held it hands over. Does nothing when they hold it.

    Raises NotPossible for a part that does not exist, and when two people take one at the same moment: the first has it.
    """
    if role not in Role.values:
        raise NotPossible(f"Role {role!r} does not exist; there are {', '.join(Role.values)}.")
    held = IncidentRole.objects.filter(incident=incident, role=role, until_at=None)
    mine = held.filter(user=user).first()
    if mine is not None:
        return mine
    try:
        with transaction.atomic():
            before = None
            if role != Role.RESPONDER:
                before = held.select_for_update().select_related("user").first()
                held.update(until_at=now)
            taken = IncidentRole.objects.create(incident=incident, user=user, role=role, since_at=now)
            text = _role_text(Role(role), user=user, before=before, by=by)
            tell_watchers(incident, write(incident, kind=Kind.PERSON, at=now, text=text, actor=by, now=now))
            announce(incident)
    except IntegrityError as error:
        raise NotPossible(f"Somebody took {Role(role).label.lower()} at the same moment. Reload the page.") from error
    return taken


def leave_role(incident: Incident, *, role: str, user: User, by: str, now: datetime) -> None:
    """End somebody's part. Does nothing when they have none."""
    with transaction.atomic():
        ended = IncidentRole.objects.filter(incident=incident, role=role, user=user, until_at=None).update(until_at=now)
        if ended:
            text = f"{user.get_username()} is no longer {Role(role).label.lower()}"
            write(incident, kind=Kind.PERSON, at=now, text=text, actor=by, now=now)
            announce(incident)


def add_task(
    incident: Incident, *, text: str, by: str, now: datetime, assignee: User | None = None, is_follow_up: bool = False
) -> IncidentTask:
    """Write down what is to be done, during the incident or after it. Raises NotPossible when there is nothing in it, or too many."""
    words = " ".join(text.split())[:TASK_LENGTH]
    if not words:
        raise NotPossible("The task is empty: say what is to be done.")
    if incident.tasks.count() >= MOST_TASKS:
        raise NotPossible(f"{incident.reference} has {MOST_TASKS} tasks already: finish some, or use your tracker.")
    with transaction.atomic():
        task = IncidentTask.objects.create(
            incident=incident, text=words, assignee=assignee, is_follow_up=is_follow_up, created_at=now, created_by=by
        )
        what = "Follow-up" if is_follow_up else "Task"
        who = f" for {assignee.get_username()}" if assignee else ""
        write(incident, kind=Kind.PERSON, at=now, text=f"{what}{who}: {words}", actor=by, now=now)
        announce(incident)
    return task


def finish_task(task: IncidentTask, *, by: str, now: datetime, done: bool = True) -> None:
    """Tick a task off, or take the tick away. Does nothing when it is so already."""
    with transaction.atomic():
        open_one = IncidentTask.objects.filter(pk=task.pk, done_at__isnull=done)
        if open_one.update(done_at=now if done else None):
            text = f"{'Done' if done else 'Not done after all'}: {task.text}"
            write(task.incident, kind=Kind.PERSON, at=now, text=text, actor=by, now=now)
            announce(task.incident)


def assign_task(task: IncidentTask, *, assignee: User | None, by: str, now: datetime) -> None:
    """Give a task to somebody, or to nobody."""
    with transaction.atomic():
        IncidentTask.objects.filter(pk=task.pk).update(assignee=assignee)
        who = assignee.get_username() if assignee else "nobody"
        write(task.incident, kind=Kind.PERSON, at=now, text=f"Task for {who}: {task.text}", actor=by, now=now)
        announce(task.incident)


def publish_update(incident: Incident, *, text: str, by: str, now: datetime) -> StatusUpdate:
    """Keep what stakeholders are told, and tell those who follow the incident. Raises NotPossible when there is nothing in it."""
    words = text.strip()[:UPDATE_LENGTH]
    if not words:
        raise NotPossible("The update is empty: say what happens, who is affected and when you will say more.")
    with transaction.atomic():
        update = StatusUpdate.objects.create(
            incident=incident, text=words, drafted_at=now, published_at=now, published_by=by
        )
        said = f"Status update: {' '.join(words.split())}"
        entry = write(incident, kind=Kind.PERSON, at=now, text=said[:TEXT_LENGTH], actor=by, now=now)
        tell_watchers(incident, entry)
        announce(incident)
    return update


def watch(
    user: User, *, now: datetime, incident: Incident | None = None, service: str = "", at_least_severity: int = 4
) -> Watch:
    """Let somebody follow an incident, or every one of a service (or of all) that is at least so grave. Raises NotPossible for too many."""
    service = " ".join(service.split())[:200]
    known = user.watches.filter(incident=incident, service=service)
    if user.watches.count() >= MOST_WATCHES and not known.exists():
        raise NotPossible(f"You follow {MOST_WATCHES} things already: stop following some.")
    found, _ = Watch.objects.update_or_create(
        user=user,
        incident=incident,
        service=service,
        defaults={"at_least_severity": at_least_severity},
        create_defaults={"at_least_severity": at_least_severity, "created_at": now},
    )
    return found


def unwatch(user: User, *, incident: Incident) -> None:
    """Let somebody no longer follow the incident."""
    Watch.objects.filter(user=user, incident=incident).delete()


def notify_watchers(entry: TimelineEntry, *, now: datetime) -> int:
    """Tell everybody who follows the entry's incident, once each and not who wrote it; return how many notifications there are to make.

    Safe to repeat. Whoever may not see the incident is told nothing.
    """
    incident = entry.incident
    people = [user for user in _followers(incident) if user.get_username() != entry.actor]
    names_it = incident.title in entry.text
    text = f"{incident.reference} {'' if names_it else f'{incident.title}: '}{entry.text}"[:TEXT_LENGTH]
    made = []
    for user in people:
        common = {"user": user, "incident": incident, "entry": entry, "text": text, "created_at": now}
        made.append(Notification(**common))
        made += [Notification(channel=channel, try_at=now, **common) for channel in user.notification_channels.all()]
    with transaction.atomic():
        Notification.objects.bulk_create(made, ignore_conflicts=True)
        waiting = Notification.objects.filter(entry=entry, channel__isnull=False, try_at__isnull=False, attempts=0)
        for pk in waiting.values_list("pk", flat=True):
            outbox.enqueue(task=DELIVER, arguments=[pk], queue="intake")
        if people:
            outbox.enqueue(task=RING, arguments=[[user.pk for user in people]], queue="intake")
    return len(made)


def tell(people: Sequence[User], *, incident: Incident, text: str, now: datetime) -> list[User]:
    """Tell these people something of an incident, on the page and where else they are told; return whom: who may not see it is left out."""
    visible = Incident.objects.filter(pk=incident.pk)
    told = [user for user in people if visible.visible_to(user).exists()]
    _tell(told, about={"incident": incident}, text=f"{incident.reference} {text}", now=now)
    return told


def tell_of_source(source: AlertSource, *, text: str, now: datetime) -> list[User]:
    """Tell everybody who may set sources up something of one; return whom."""
    people = User.objects.with_perm("incidents.manage_sources", backend="django.contrib.auth.backends.ModelBackend")
    told = list(people.order_by("pk")[:MOST_TOLD])
    _tell(told, about={"source": source}, text=f"{source.name} {text}", now=now)
    return told


def _tell(people: Sequence[User], *, about: Mapping[str, Any], text: str, now: datetime) -> None:
    with transaction.atomic():
        for user in people:
            common = {"user": user, "text": text[:TEXT_LENGTH], "created_at": now, **about}
            Notification.objects.create(**common)
            for channel in user.notification_channels.all():
                sent = Notification.objects.create(channel=channel, try_at=now, **common)
                outbox.enqueue(task=DELIVER, arguments=[sent.pk], queue="intake")
        if people:
            outbox.enqueue(task=RING, arguments=[[user.pk for user in people]], queue="intake")


def unread_count(user: User) -> int:
    """Return how many notifications the person has not read."""
    return Notification.objects.filter(user=user, channel=None, read_at=None).count()


def mark_read(user: User, *, now: datetime) -> int:
    """Mark everything read that the person was told on the page; return how much it was."""
    return Notification.objects.filter(user=user, channel=None, read_at=None).update(read_at=now)


def add_channel(user: User, *, kind: str, target: str, now: datetime) -> NotificationChannel:
    """Let somebody be told by e-mail or webhook too; `target` was checked by the caller. The same twice is one. Raises NotPossible for too many."""
    known = user.notification_channels.filter(kind=kind, target=target)
    if user.notification_channels.count() >= MOST_CHANNELS and not known.exists():
        raise NotPossible(f"You have {MOST_CHANNELS} channels already: remove one first.")
    channel, _ = NotificationChannel.objects.get_or_create(
        user=user, kind=kind, target=target, defaults={"created_at": now}
    )
    return channel


def _role_text(role: IncidentRole.Role, *, user: User, before: IncidentRole | None, by: str) -> str:
    name = user.get_username()
    if role == Role.COMMANDER and before is not None:
        return f"{HANDED_OVER} from {before.user.get_username()} to {name}"
    if before is not None:
        return f"{role.label} handed over from {before.user.get_username()} to {name}"
    return f"{name} is {role.label.lower()}" if by == name else f"{name} is {role.label.lower()}, asked by {by}"


def _followers(incident: Incident) -> Sequence[User]:
    mine = Q(watches__incident=incident)
    every = Q(
        watches__incident=None,
        watches__at_least_severity__gte=incident.severity,
        watches__service__in=["", *incident.services],
    )
    people = User.objects.filter(mine | every, is_active=True).distinct().prefetch_related("notification_channels")
    visible = Incident.objects.filter(pk=incident.pk)
    return [user for user in people.order_by("pk")[:MOST_TOLD] if visible.visible_to(user).exists()]
