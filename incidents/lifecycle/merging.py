"""Merging incidents, splitting one, and taking such decisions back. What people decide here is what the score of `detection.affinity` learns from."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from incidents.detection import affinity
from incidents.lifecycle import profiles
from incidents.lifecycle.alerts import name_of, open_for_alerts
from incidents.lifecycle.details import NotPossible
from incidents.lifecycle.groups import LIVE, SENTENCE_LENGTH, SUBJECT_LENGTH, TITLE_LENGTH, begin, one_at_a_time
from incidents.lifecycle.stages import OVER, WrongState
from incidents.lifecycle.timeline import Kind, announce, tell_watchers, write
from incidents.models import Alert, Anomaly, GroupingDecision, Incident, IncidentRole, IncidentTask, Lesson, Watch

Outcome = GroupingDecision.Outcome
MOST_ALERTS = 20_000  # of one merge or split


def merge(incident: Incident, *, into: Incident, by: str, now: datetime, why: str = "") -> GroupingDecision:
    """Make one incident of two: alerts, anomalies and open tasks go to `into`, which is as grave and as old as the worse; the other is closed.

    Its timeline stays its own and shows in the other's; those who follow it follow the other too. `undo` takes it back. `by` is a person, or ""
    for the program, which says `why`. Raises WrongState when either is merged already or `into` is over.
    """
    with transaction.atomic():
        one_at_a_time(incident.source)
        incident, into = _both(incident, into)
        features = _features(incident, into, now=now)
        moved = _move_everything(incident, into, now=now)
        who = f"{f' by {by}' if by else ''}{f': {why}' if why else ''}"
        decision = GroupingDecision.objects.create(
            incident=into,
            subject=f"{incident.reference} {incident.title}"[:SUBJECT_LENGTH],
            outcome=Outcome.MERGED,
            features=features,
            score=affinity.score(features),
            sentence=f"{incident.reference} was merged into {into.reference}{who}"[:SENTENCE_LENGTH],
            moved=moved,
            decided_at=now,
            decided_by=by,
        )
        kind = Kind.PERSON if by else Kind.COPILOT
        text = f"Merged{f' by {by}' if by else ''}: {incident.reference} “{incident.title}” is part of this"
        tell_watchers(into, write(into, kind=kind, at=now, text=text, actor=by, now=now))
        gone = f"Merged into {into.reference}{who}"
        tell_watchers(incident, write(incident, kind=kind, at=now, text=gone, actor=by, now=now))
        for one in (incident, into):
            announce(one)
    return decision


def split(
    incident: Incident, *, by: str, now: datetime, alerts: Collection[int] = (), services: Collection[str] = ()
) -> Incident:
    """Take some alerts, or everything at some services, out of an incident into a new one, and return that.

    Raises NotPossible when nothing would go or nothing would stay, and WrongState when the incident is merged into another.
    """
    with transaction.atomic():
        one_at_a_time(incident.source)
        incident = Incident.objects.select_for_update().get(pk=incident.pk)
        if incident.merged_into_id:
            raise WrongState(f"{incident.reference} is merged into INC-{incident.merged_into_id}; split that one.")
        going, anomalies = _going(incident, alerts=alerts, services=services)
        staying = incident.alerts.exclude(pk__in=[alert.pk for alert in going])
        features = profiles.between(going[: profiles.ALERTS_EACH], incident, now=now) if going else {}
        other = _open_other(incident, going, anomalies, now=now)
        Anomaly.objects.filter(pk__in=[anomaly.pk for anomaly in anomalies]).update(incident=other)
        left = set(staying.values_list("service", flat=True)) | set(
            incident.anomalies.values_list("service", flat=True)
        )
        kept = [name for name in incident.services if name in left or name not in other.services]
        Incident.objects.filter(pk=incident.pk).update(services=kept)
        GroupingDecision.objects.create(
            incident=incident,
            subject=f"{other.reference} {other.title}"[:SUBJECT_LENGTH],
            outcome=Outcome.SPLIT,
            features=features,
            score=affinity.score(features) if features else None,
            sentence=f"{other.reference} was split off {incident.reference} by {by}: {_count(going, anomalies)}",
            moved={"incident": other.pk, "services": incident.services},
            decided_at=now,
            decided_by=by,
        )
        text = f"Split by {by}: {_count(going, anomalies)} went to {other.reference}"
        write(incident, kind=Kind.PERSON, at=now, text=text, actor=by, now=now)
        origin = f"Split off {incident.reference} by {by}"
        write(other, kind=Kind.PERSON, at=now, text=origin, actor=by, now=now)
        for one in (incident, other):
            announce(one)
    return other


def can_undo(decision: GroupingDecision) -> bool:
    """Say whether `undo` knows how to take the decision back."""
    if decision.undone_at is not None or decision.is_shadow or decision.incident_id is None:
        return False
    return decision.outcome in (Outcome.MERGED, Outcome.SPLIT) or (
        decision.outcome == Outcome.JOINED and (decision.alert_id is not None or bool(decision.moved.get("anomalies")))
    )


def undo(decision: GroupingDecision, *, by: str, now: datetime) -> Incident:
    """Take a decision back and return the incident that comes to be by it: one of what had joined, a merged one again, or the one split.

    Remembered: the score learns from it. Raises NotPossible when it was undone already or things have moved on since.
    """
    with transaction.atomic():
        incident = decision.incident
        if incident is None or not can_undo(decision):
            raise NotPossible("This cannot be undone, or somebody has undone it already. Reload the page to see.")
        one_at_a_time(incident.source)
        taken = GroupingDecision.objects.filter(pk=decision.pk, undone_at=None).update(undone_at=now, undone_by=by)
        if not taken:
            raise NotPossible("Somebody has undone this already. Reload the page to see.")
        ways = {Outcome.JOINED: _undo_join, Outcome.MERGED: _undo_merge, Outcome.SPLIT: _undo_split}
        other = ways[Outcome(decision.outcome)](decision, incident, by=by, now=now)
        for one in (incident, other):
            announce(one)
    decision.refresh_from_db()
    return other


def _both(incident: Incident, into: Incident) -> tuple[Incident, Incident]:
    """Lock both rows, always in the same order, and check that they can become one."""
    if incident.pk == into.pk:
        raise NotPossible(f"{incident.reference} cannot be merged into itself: choose another one.")
    rows = {
        row.pk: row for row in Incident.objects.select_for_update().filter(pk__in=(incident.pk, into.pk)).order_by("pk")
    }
    incident, into = rows[incident.pk], rows[into.pk]
    if incident.source != into.source:
        raise NotPossible(
            f"{incident.reference} and {into.reference} come from different systems ({incident.source}, {into.source})."
        )
    if incident.is_restricted and not into.is_restricted:
        raise NotPossible(f"{incident.reference} is restricted and {into.reference} is not: restrict that one first.")
    for one in (incident, into):
        if one.merged_into_id:
            raise WrongState(f"{one.reference} is already merged into INC-{one.merged_into_id}.")
    if into.status in OVER:
        raise WrongState(f"{into.reference} is {into.get_status_display().lower()}: reopen it first.")
    return incident, into


def _features(incident: Incident, into: Incident, *, now: datetime) -> dict[str, float]:
    both = profiles.profiles_of([incident, into])
    found = affinity.features(both[incident.pk], both[into.pk], within=profiles.surroundings(now=now))
    return profiles.rounded(found)


def _move_everything(incident: Incident, into: Incident, *, now: datetime) -> dict[str, Any]:
    """Move what belongs to the incident and return how it was before."""
    alerts = list(incident.alerts.values_list("pk", flat=True)[:MOST_ALERTS])
    held = set(into.anomalies.values_list("service", "name", "attributes", "started_at"))
    anomalies = [a.pk for a in incident.anomalies.all() if (a.service, a.name, a.attributes, a.started_at) not in held]
    tasks = list(incident.tasks.filter(done_at=None).values_list("pk", flat=True))
    roles = list(incident.roles.filter(until_at=None).values_list("pk", flat=True))
    known = set(into.lessons.values_list("kind", "service", "text"))
    lessons = [one.pk for one in incident.lessons.all() if (one.kind, one.service, one.text) not in known]
    Alert.objects.filter(pk__in=alerts).update(incident=into)
    Anomaly.objects.filter(pk__in=anomalies).update(incident=into)
    IncidentTask.objects.filter(pk__in=tasks).update(incident=into)
    Lesson.objects.filter(pk__in=lessons).update(incident=into)
    IncidentRole.objects.filter(pk__in=roles).update(until_at=now)
    Watch.objects.bulk_create(
        [
            Watch(user_id=watch.user_id, incident=into, at_least_severity=watch.at_least_severity, created_at=now)
            for watch in incident.watches.all()
        ],
        ignore_conflicts=True,
    )
    moved = {
        "incident": incident.pk,
        "status": incident.status,
        "closed_at": incident.closed_at.isoformat() if incident.closed_at else "",
        "alerts": alerts,
        "anomalies": anomalies,
        "tasks": tasks,
        "lessons": lessons,
        "roles": roles,
        "into": {
            "services": into.services,
            "severity": into.severity,
            "started_at": into.started_at.isoformat(),
        },
    }
    Incident.objects.filter(pk=into.pk).update(
        services=list(dict.fromkeys([*into.services, *incident.services])),
        severity=min(into.severity, incident.severity),
        started_at=min(into.started_at, incident.started_at),
        last_anomaly_at=max(into.last_anomaly_at, incident.last_anomaly_at),
    )
    Incident.objects.filter(pk=incident.pk).update(
        merged_into=into, status=Incident.Status.CLOSED, closed_at=incident.closed_at or now
    )
    return moved


def _undo_merge(decision: GroupingDecision, into: Incident, *, by: str, now: datetime) -> Incident:
    moved = decision.moved
    incident = Incident.objects.select_for_update().get(pk=moved["incident"])
    if incident.merged_into_id != into.pk:
        raise NotPossible(f"{incident.reference} is no longer merged into {into.reference}.")
    Alert.objects.filter(pk__in=moved["alerts"], incident=into).update(incident=incident)
    Anomaly.objects.filter(pk__in=moved["anomalies"], incident=into).update(incident=incident)
    IncidentTask.objects.filter(pk__in=moved["tasks"], incident=into).update(incident=incident)
    Lesson.objects.filter(pk__in=moved.get("lessons", ()), incident=into).update(incident=incident)
    IncidentRole.objects.filter(pk__in=moved["roles"]).update(until_at=None)
    closed_at = datetime.fromisoformat(moved["closed_at"]) if moved["closed_at"] else None
    Incident.objects.filter(pk=incident.pk).update(merged_into=None, status=moved["status"], closed_at=closed_at)
    # What the other one had before, and what came to it since by itself.
    before = moved["into"]
    present = {*into.alerts.values_list("service", flat=True), *into.anomalies.values_list("service", flat=True)}
    into.refresh_from_db()
    Incident.objects.filter(pk=into.pk).update(
        services=[name for name in into.services if name in present or name in before["services"]],
        severity=before["severity"] if into.severity == incident.severity else into.severity,
        started_at=datetime.fromisoformat(before["started_at"]),
    )
    incident.refresh_from_db()
    _say_undone(into, incident, f"Merge of {incident.reference} undone by {by}", by=by, now=now)
    return incident


def _undo_split(decision: GroupingDecision, incident: Incident, *, by: str, now: datetime) -> Incident:
    other = Incident.objects.select_for_update().get(pk=decision.moved["incident"])
    if other.merged_into_id:
        raise NotPossible(f"{other.reference} is merged into INC-{other.merged_into_id} meanwhile. Undo that first.")
    other, incident = _both(other, incident)
    _move_everything(other, incident, now=now)
    _say_undone(incident, other, f"Split of {other.reference} undone by {by}", by=by, now=now)
    return incident


def _undo_join(decision: GroupingDecision, incident: Incident, *, by: str, now: datetime) -> Incident:
    alert = decision.alert
    if alert is None and decision.moved.get("anomalies"):
        return _undo_anomalies(decision, incident, by=by, now=now)
    if alert is None or alert.incident_id != incident.pk:
        raise NotPossible(f"The alert is no longer in {incident.reference}.")
    other = open_for_alerts([alert], now=now)
    _say_undone(incident, other, f"{name_of(alert)} taken out by {by}, now {other.reference}", by=by, now=now)
    return other


def _undo_anomalies(decision: GroupingDecision, incident: Incident, *, by: str, now: datetime) -> Incident:
    """Take the anomalies that came with a decision out into an incident of their own."""
    anomalies = list(incident.anomalies.filter(pk__in=decision.moved["anomalies"]))
    if not anomalies:
        raise NotPossible(f"The anomalies are no longer in {incident.reference}.")
    other = _open_other(incident, [], anomalies, now=now)
    Anomaly.objects.filter(pk__in=[anomaly.pk for anomaly in anomalies]).update(incident=other)
    left = {*incident.alerts.values_list("service", flat=True), *incident.anomalies.values_list("service", flat=True)}
    kept = [name for name in incident.services if name in left or name not in other.services]
    Incident.objects.filter(pk=incident.pk).update(services=kept)
    text = f"{decision.subject} taken out by {by}, now {other.reference}"
    _say_undone(incident, other, text, by=by, now=now)
    return other


def _say_undone(one: Incident, other: Incident, text: str, *, by: str, now: datetime) -> None:
    for incident in (one, other):
        write(incident, kind=Kind.PERSON, at=now, text=text, actor=by, now=now)


def _going(
    incident: Incident, *, alerts: Collection[int], services: Collection[str]
) -> tuple[list[Alert], list[Anomaly]]:
    mine = incident.alerts.all()
    going = list((mine.filter(pk__in=alerts) | mine.filter(service__in=services))[:MOST_ALERTS])
    anomalies = list(incident.anomalies.filter(service__in=services))
    if not going and not anomalies:
        raise NotPossible(
            "Nothing to split off: choose alerts of this incident, or services that have alerts or anomalies here."
        )
    if len(going) == mine.count() and len(anomalies) == incident.anomalies.count():
        raise NotPossible("That is everything in the incident: leave something in it, or merge it elsewhere instead.")
    return going, anomalies


def _open_other(
    incident: Incident, alerts: Sequence[Alert], anomalies: Sequence[Anomaly], *, now: datetime
) -> Incident:
    if alerts and incident.source == LIVE:
        other = open_for_alerts(alerts, now=now)
        services = list(dict.fromkeys([*other.services, *(anomaly.service for anomaly in anomalies)]))
        changes: dict[str, Any] = {"services": services}
    else:
        services = list(dict.fromkeys([*(a.service for a in alerts if a.service), *(a.service for a in anomalies)]))
        other = Incident.objects.create(
            title=f"{', '.join(services[:3])}: split off {incident.reference}"[:TITLE_LENGTH],
            severity=incident.severity,
            services=services,
            source=incident.source,
            team=incident.team,
            is_demo=incident.is_demo,
            started_at=min([*(a.starts_at for a in alerts), *(a.started_at for a in anomalies), now]),
            opened_at=now,
            last_anomaly_at=incident.last_anomaly_at,
        )
        Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(incident=other)
        begin(other, opening=other.title, now=now)
        changes = {}
    Incident.objects.filter(pk=other.pk).update(is_restricted=incident.is_restricted, **changes)
    other.refresh_from_db()
    return other


def _count(alerts: Sequence[Alert], anomalies: Sequence[Anomaly]) -> str:
    parts = [f"{len(alerts)} alert{'' if len(alerts) == 1 else 's'}"] if alerts else []
    parts += [f"{len(anomalies)} anomal{'y' if len(anomalies) == 1 else 'ies'}"] if anomalies else []
    return " and ".join(parts)
