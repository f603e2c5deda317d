"""An incident's life: opened by what was detected, joined by what belongs to it, moved on by people. Each step writes the timeline."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from incidents.detection.anomaly import AnomalyGroup, Episode
from incidents.detection.impact import Harm, impact_of, title_of
from incidents.intake import outbox
from incidents.models import Anomaly, Incident, Investigation, ServiceEdge, TimelineEntry

# A departure at a service of an open incident is part of it when it begins this soon after the incident's last one; at a neighbour
# of its services sooner.
SAME_SERVICE_GAP = timedelta(minutes=10)
NEIGHBOUR_GAP = timedelta(minutes=3)
# An episode seen again may seem to begin a little earlier or later, as the window moves.
SAME_EPISODE_GAP = timedelta(minutes=2)
MOST_FAULT_ENTRIES = 6
TITLE_LENGTH, TEXT_LENGTH, SERVICE_LENGTH, NAME_LENGTH, UNIT_LENGTH = 300, 500, 200, 300, 50
NAMESPACE = 0x1C0  # of our advisory locks

Status = Incident.Status
Kind = TimelineEntry.Kind


class WrongState(Exception):
    """A step does not fit the incident's state. The message says which state it is in, since when, and what to do first."""


def open_or_join(group: AnomalyGroup, *, source: str, now: datetime) -> Incident:
    """Return the incident that the group is part of, opened if there is none. `source` is "live" or a replay's schema.

    A group joins an open incident of the same source when it holds one of its episodes, or departs at the same or at neighbouring services
    within minutes. Episodes of a resolved incident open nothing. The same group may come again and again: rows are matched,
    severity only rises. Two workers at once agree on one incident. An investigation is asked for with the opening.
    """
    with transaction.atomic():
        _one_at_a_time(source)
        incident, is_known = _incident_of(group, source=source)
        entries = incident.timeline.count() if incident else 0
        if incident is None:
            incident = _open(group, source=source, now=now)
        elif incident.status == Status.RESOLVED:
            return incident
        else:
            _join(incident, group, is_known=is_known, now=now)
        _note_recovery(incident, now=now)
        if incident.timeline.count() > entries:  # open pages should show it
            outbox.enqueue(task="copilot.tasks.announce", arguments=[incident.pk], queue="intake")
        return incident


def acknowledge(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Record that somebody has taken the incident on. Does nothing when somebody already has."""
    return _move(incident, to=Status.ACKNOWLEDGED, after={Status.OPEN}, by=by, now=now)


def mitigate(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Record that users are no longer harmed, though the cause may remain. Does nothing when that was recorded."""
    return _move(incident, to=Status.MITIGATED, after={Status.OPEN, Status.ACKNOWLEDGED}, by=by, now=now)


def resolve(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Record that the incident is over. Does nothing when that was recorded."""
    return _move(
        incident, to=Status.RESOLVED, after={Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATED}, by=by, now=now
    )


def reopen(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Record that a mitigated or resolved incident goes on. Does nothing when it is open."""
    return _move(incident, to=Status.OPEN, after={Status.MITIGATED, Status.RESOLVED}, by=by, now=now)


def add_note(incident: Incident, *, text: str, by: str, now: datetime) -> TimelineEntry:
    """Write what a person has to say into the timeline. Raises ValueError when there is nothing in it."""
    if not text.strip():
        raise ValueError("The note is empty: write what you saw or did.")
    return _write(incident, kind=Kind.PERSON, at=now, text=text.strip(), actor=by, now=now)


_MOVES = {
    Status.ACKNOWLEDGED: ("Acknowledged", "acknowledged_at"),
    Status.MITIGATED: ("Mitigated", "mitigated_at"),
    Status.RESOLVED: ("Resolved", "resolved_at"),
    Status.OPEN: ("Reopened", None),
}


def _move(incident: Incident, *, to: Status, after: Iterable[Status], by: str, now: datetime) -> Incident:
    """Change the status if the row is still in one of `after`: of two people at once one moves it, and the other sees it moved."""
    said, field = _MOVES[to]
    changes: dict[str, datetime | str | None] = {"status": to}
    if field is None:
        changes |= {"mitigated_at": None, "resolved_at": None}
    else:
        changes[field] = now
    with transaction.atomic():
        moved = Incident.objects.filter(pk=incident.pk, status__in=list(after)).update(**changes)
        if moved:
            _write(incident, kind=Kind.PERSON, at=now, text=f"{said} by {by}", actor=by, now=now)
    incident.refresh_from_db()
    if incident.status != to:
        raise WrongState(
            f"{incident.reference} is {incident.get_status_display().lower()}, so it cannot become {to.label.lower()}. "
            f"{'Reopen it first.' if incident.status == Status.RESOLVED else 'Reload the page to see its state.'}"
        )
    return incident


def _one_at_a_time(source: str) -> None:
    """Make other workers on this source wait until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [NAMESPACE, zlib.crc32(source.encode()) - 2**31])


def _incident_of(group: AnomalyGroup, *, source: str) -> tuple[Incident | None, bool]:
    """Return the incident that the group belongs to, and whether by an episode that it already holds."""
    known = _same_episodes(group.episodes, Anomaly.objects.filter(incident__source=source).select_related("incident"))
    holders = {anomaly.incident_id: anomaly.incident for anomaly in known.values()}
    # Episodes of a resolved incident are settled, unless something new was detected since.
    for incident in sorted(holders.values(), key=lambda holder: (holder.status == Status.RESOLVED, -holder.pk)):
        over_at = incident.resolved_at
        if over_at is None or all(episode.detected_at <= over_at for episode in group.episodes):
            return incident, True
    still_open = Incident.objects.filter(source=source, last_anomaly_at__gte=group.started_at - SAME_SERVICE_GAP)
    for incident in still_open.exclude(status=Status.RESOLVED).order_by("-last_anomaly_at"):
        if _touches(incident, group):
            return incident, False
    return None, False


def _touches(incident: Incident, group: AnomalyGroup) -> bool:
    if not incident.services or not group.services:
        return False
    if set(incident.services) & set(group.services):
        return True
    near = ServiceEdge.objects.filter(
        Q(caller__name__in=incident.services, callee__name__in=group.services)
        | Q(caller__name__in=group.services, callee__name__in=incident.services)
    )
    return group.started_at - incident.last_anomaly_at <= NEIGHBOUR_GAP and near.exists()


def _open(group: AnomalyGroup, *, source: str, now: datetime) -> Incident:
    incident = Incident.objects.create(
        title=group.title[:TITLE_LENGTH],
        severity=group.severity,
        services=[name[:SERVICE_LENGTH] for name in group.services],
        source=source,
        started_at=group.started_at,
        opened_at=max(group.opened_at, group.started_at),
        last_anomaly_at=_last_seen(group, source=source, now=now),
    )
    _keep_episodes(incident, group.episodes)
    for episode in _most_telling(group.episodes)[:MOST_FAULT_ENTRIES]:
        _write(incident, kind=Kind.FAULT, at=episode.started_at, text=title_of(episode), now=now)
    _write(incident, kind=Kind.COPILOT, at=incident.opened_at, text=f"Opened: {group.title}", now=now)
    Investigation.objects.create(incident=incident, requested_at=now)
    outbox.enqueue(task="copilot.tasks.investigate", arguments=[incident.pk], queue="investigate")
    return incident


def _join(incident: Incident, group: AnomalyGroup, *, is_known: bool, now: datetime) -> None:
    incident.refresh_from_db(from_queryset=Incident.objects.select_for_update())
    added = [name for name in (service[:SERVICE_LENGTH] for service in group.services) if name not in incident.services]
    _keep_episodes(incident, group.episodes)
    if added:
        since = min(
            (e.started_at for e in group.episodes if e.key.service[:SERVICE_LENGTH] in added), default=group.started_at
        )
        _write(incident, kind=Kind.FAULT, at=since, text=f"Also affected: {', '.join(added)}", now=now)
    elif not is_known:
        _write(incident, kind=Kind.FAULT, at=group.started_at, text=f"Again: {group.title}", now=now)
    changes: dict[str, object] = {
        "services": [*incident.services, *added],
        "last_anomaly_at": max(incident.last_anomaly_at, _last_seen(group, source=incident.source, now=now)),
    }
    if group.severity < incident.severity:
        changes |= {"severity": group.severity, "title": group.title[:TITLE_LENGTH]}
        text = f"Severity raised from {incident.severity} to {group.severity}: {group.title}"
        _write(incident, kind=Kind.COPILOT, at=max(group.opened_at, incident.opened_at), text=text, now=now)
    elif (
        is_known and group.severity == incident.severity and group.started_at <= incident.started_at + SAME_EPISODE_GAP
    ):
        changes["title"] = group.title[:TITLE_LENGTH]  # what it opened with has grown worse
    Incident.objects.filter(pk=incident.pk).update(**changes)
    incident.refresh_from_db()


def _last_seen(group: AnomalyGroup, *, source: str, now: datetime) -> datetime:
    """Return when the group was last seen out of range: live, what lasts is out of range now; a replay's clock has no now."""
    times = [group.opened_at]
    for episode in group.episodes:
        times += [episode.detected_at, episode.peaked_at]
        if episode.ended_at is not None:
            times.append(episode.ended_at)
        elif source == "live":
            times.append(now)
    return max(times)


def _keep_episodes(incident: Incident, episodes: Sequence[Episode]) -> None:
    """Write the episodes as anomalies of the incident; one that is already there is brought up to date."""
    held = _same_episodes(episodes, incident.anomalies.all())
    new, changed = [], []
    for number, episode in enumerate(episodes):
        if number in held:
            _renew(held[number], episode)
            changed.append(held[number])
        else:
            new.append(_anomaly(incident, episode))
    Anomaly.objects.bulk_create(new, ignore_conflicts=True)
    Anomaly.objects.bulk_update(changed, ["ended_at", "peak", "peaked_at", "score"])


def _same_episodes(episodes: Sequence[Episode], anomalies: QuerySet[Anomaly]) -> dict[int, Anomaly]:
    """Return, by the episodes' positions, the rows that are the same departure, though it may now seem to begin a little elsewhere."""
    if not episodes:
        return {}
    earliest = min(episode.started_at for episode in episodes) - SAME_EPISODE_GAP
    candidates: dict[tuple[str, ...], list[Anomaly]] = defaultdict(list)
    for anomaly in anomalies.filter(
        Q(ended_at=None) | Q(ended_at__gte=earliest), service__in={_key(episode)[0] for episode in episodes}
    ):
        candidates[anomaly.service, anomaly.name, anomaly.attributes, anomaly.direction].append(anomaly)
    found = {}
    for number, episode in enumerate(episodes):
        match = next((anomaly for anomaly in candidates.get(_key(episode), ()) if _overlaps(anomaly, episode)), None)
        if match is not None:
            found[number] = match
    return found


def _key(episode: Episode) -> tuple[str, ...]:
    key = episode.key
    return key.service[:SERVICE_LENGTH], key.name[:NAME_LENGTH], key.attributes, episode.direction.value


def _overlaps(anomaly: Anomaly, episode: Episode) -> bool:
    begins_before_end = episode.ended_at is None or anomaly.started_at <= episode.ended_at + SAME_EPISODE_GAP
    ends_after_begin = anomaly.ended_at is None or anomaly.ended_at >= episode.started_at - SAME_EPISODE_GAP
    return begins_before_end and ends_after_begin


def _renew(anomaly: Anomaly, episode: Episode) -> None:
    anomaly.ended_at = episode.ended_at
    if episode.score > anomaly.score:
        anomaly.peak, anomaly.peaked_at, anomaly.score = episode.peak, episode.peaked_at, episode.score


def _anomaly(incident: Incident, episode: Episode) -> Anomaly:
    return Anomaly(
        incident=incident,
        service=episode.key.service[:SERVICE_LENGTH],
        name=episode.key.name[:NAME_LENGTH],
        attributes=episode.key.attributes,
        unit=episode.key.unit[:UNIT_LENGTH],
        direction=episode.direction.value,
        started_at=episode.started_at,
        detected_at=episode.detected_at,
        peaked_at=episode.peaked_at,
        ended_at=episode.ended_at,
        usual_low=episode.usual_low,
        usual_high=episode.usual_high,
        peak=episode.peak,
        score=episode.score,
    )


def _most_telling(episodes: Sequence[Episode]) -> list[Episode]:
    """Order episodes by what users feel, then by how far out they were."""
    return sorted(episodes, key=lambda episode: (-impact_of(episode, is_entry=False).weight, -episode.score))


def _note_recovery(incident: Incident, *, now: datetime) -> None:
    """Write once that everything users feel is back to usual. The incident stays open: a person says when it is over."""
    felt = [anomaly for anomaly in incident.anomalies.all() if _is_felt(anomaly)]
    ends = [anomaly.ended_at for anomaly in felt if anomaly.ended_at is not None]
    if felt and len(ends) == len(felt):
        _write(
            incident,
            kind=Kind.COPILOT,
            at=max(ends),
            text=f"Signals back to usual since {max(ends):%H:%M:%S} UTC",
            now=now,
        )


def _is_felt(anomaly: Anomaly) -> bool:
    return impact_of(anomaly.episode, is_entry=False).harm > Harm.NONE


def _write(
    incident: Incident, *, kind: TimelineEntry.Kind, at: datetime, text: str, now: datetime, actor: str = ""
) -> TimelineEntry:
    entry, _ = TimelineEntry.objects.get_or_create(
        incident=incident,
        kind=kind,
        happened_at=at,
        text=text[:TEXT_LENGTH],
        defaults={"known_at": max(now, at), "actor": actor[:150]},
    )
    return entry
