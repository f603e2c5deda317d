"""An incident opened or joined by a group of anomalies."""

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q

from incidents.detection.anomaly import AnomalyGroup, Episode
from incidents.detection.impact import impact_of, title_of
from incidents.intake import outbox
from incidents.lifecycle.episodes import (
    SAME_EPISODE_GAP,
    SERVICE_LENGTH,
    keep_episodes,
    note_recovery,
    same_episodes,
)
from incidents.lifecycle.stages import OVER
from incidents.lifecycle.timeline import Kind, announce, tell_watchers, write
from incidents.models import Anomaly, GroupingDecision, Incident, Investigation, Service, ServiceEdge, Team

# A departure at a service of an open incident is part of it when it begins this soon after the incident's last one; at a neighbour
# of its services sooner.
SAME_SERVICE_GAP = timedelta(minutes=10)
NEIGHBOUR_GAP = timedelta(minutes=3)
MOST_FAULT_ENTRIES = 6
TITLE_LENGTH = 300
SUBJECT_LENGTH, SENTENCE_LENGTH = 300, 500
NAMESPACE = 0x1C0  # of our advisory locks
LIVE = "live"


def open_or_join(group: AnomalyGroup, *, source: str, now: datetime) -> Incident:
    """Return the incident that the group is part of, opened if there is none. `source` is "live" or a replay's schema.

    A group joins an open incident of the same source when it holds one of its episodes, or departs at the same or at neighbouring services
    within minutes; alerts may have opened that incident. Episodes of an incident that is over open nothing. The same group may come again and
    again: rows are matched, severity only rises. Two workers at once agree on one incident. An investigation is asked for with the opening.
    """
    with transaction.atomic():
        one_at_a_time(source)
        incident, is_known = _incident_of(group, source=source)
        entries = incident.timeline.count() if incident else 0
        if incident is None:
            incident = _open(group, source=source, now=now)
        elif incident.status in OVER:
            return incident
        else:
            _join(incident, group, is_known=is_known, now=now)
        note_recovery(incident, now=now)
        if incident.timeline.count() > entries:  # open pages should show it
            announce(incident)
        return incident


def one_at_a_time(source: str) -> None:
    """Make other workers that put things into incidents of this source wait until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [NAMESPACE, zlib.crc32(source.encode()) - 2**31])


def survivor(incident: Incident) -> Incident:
    """Return the incident that this one was merged into, however often; itself when it was not."""
    seen = {incident.pk}
    while incident.merged_into is not None and incident.merged_into_id not in seen:
        incident = incident.merged_into
        seen.add(incident.pk)
    return incident


def team_of(services: Sequence[str], *, told: Iterable[str] = ()) -> Team | None:
    """Return the team that owns the first service that has an owner, else the one whose name was told or tagged; None when there is none."""
    known = {service.name: service for service in Service.objects.filter(name__in=services).select_related("owner")}
    owners = [known[name].owner for name in services if name in known and known[name].owner is not None]
    if owners:
        return owners[0]
    names = [name for name in (*(known[name].team for name in services if name in known), *told) if name]
    return Team.objects.filter(name__in=names).first() if names else None


def begin(incident: Incident, *, opening: str, now: datetime) -> None:
    """Do what every opening needs: say so, have it investigated, tell those who follow its services."""
    entry = write(incident, kind=Kind.COPILOT, at=incident.opened_at, text=f"Opened: {opening}", now=now)
    Investigation.objects.create(incident=incident, requested_at=now)
    outbox.enqueue(task="copilot.tasks.investigate", arguments=[incident.pk], queue="investigate")
    tell_watchers(incident, entry)


def _incident_of(group: AnomalyGroup, *, source: str) -> tuple[Incident | None, bool]:
    """Return the incident that the group belongs to, and whether by an episode that it already holds."""
    known = same_episodes(group.episodes, Anomaly.objects.filter(incident__source=source).select_related("incident"))
    holders = {incident.pk: incident for incident in (survivor(anomaly.incident) for anomaly in known.values())}
    # Episodes of an incident that is over are settled, unless something new was detected since.
    for incident in sorted(holders.values(), key=lambda holder: (holder.status in OVER, -holder.pk)):
        over_at = incident.resolved_at or incident.closed_at
        if over_at is None or all(episode.detected_at <= over_at for episode in group.episodes):
            return incident, True
    still_open = Incident.objects.filter(
        source=source, is_demo=False, last_anomaly_at__gte=group.started_at - SAME_SERVICE_GAP
    )
    for incident in still_open.exclude(status__in=OVER).order_by("-last_anomaly_at"):
        if _touches(incident, group):
            return incident, False
    return None, False


def _touches(incident: Incident, group: AnomalyGroup) -> bool:
    if not incident.services or not group.services:
        return False
    if set(incident.services) & set(group.services):
        return True
    near = ServiceEdge.objects.exclude(origin=ServiceEdge.Origin.REMOVED).filter(
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
        team=team_of(group.services) if source == LIVE else None,
        started_at=group.started_at,
        opened_at=max(group.opened_at, group.started_at),
        last_anomaly_at=_last_seen(group, source=source, now=now),
    )
    keep_episodes(incident, group.episodes)
    for episode in _most_telling(group.episodes)[:MOST_FAULT_ENTRIES]:
        write(incident, kind=Kind.FAULT, at=episode.started_at, text=title_of(episode), now=now)
    begin(incident, opening=group.title, now=now)
    sentence = f"Opened {incident.reference}: {_size(group)}, and no open incident was near in time and topology"
    _decide(
        GroupingDecision(
            incident=incident,
            subject=group.title,
            outcome=GroupingDecision.Outcome.OPENED,
            sentence=sentence,
            decided_at=now,
        )
    )
    return incident


def _join(incident: Incident, group: AnomalyGroup, *, is_known: bool, now: datetime) -> None:
    incident.refresh_from_db(from_queryset=Incident.objects.select_for_update())
    added = [name for name in (service[:SERVICE_LENGTH] for service in group.services) if name not in incident.services]
    before = set(incident.anomalies.values_list("pk", flat=True))
    keep_episodes(incident, group.episodes)
    if added:
        since = min(
            (e.started_at for e in group.episodes if e.key.service[:SERVICE_LENGTH] in added), default=group.started_at
        )
        write(incident, kind=Kind.FAULT, at=since, text=f"Also affected: {', '.join(added)}", now=now)
    elif not is_known:
        write(incident, kind=Kind.FAULT, at=group.started_at, text=f"Again: {group.title}", now=now)
    if not is_known:
        came = incident.anomalies.exclude(pk__in=before).values_list("pk", flat=True)
        _decide_joined(incident, group, anomalies=list(came), now=now)
    changes: dict[str, object] = {
        "services": [*incident.services, *added],
        "last_anomaly_at": max(incident.last_anomaly_at, _last_seen(group, source=incident.source, now=now)),
    }
    if group.severity < incident.severity:
        changes |= {"severity": group.severity, "title": group.title[:TITLE_LENGTH]}
        text = f"Severity raised from {incident.severity} to {group.severity}: {group.title}"
        at = max(group.opened_at, incident.opened_at)
        entry = write(incident, kind=Kind.COPILOT, at=at, text=text, now=now)
        incident.severity = group.severity
        tell_watchers(incident, entry)
    elif (
        is_known and group.severity == incident.severity and group.started_at <= incident.started_at + SAME_EPISODE_GAP
    ):
        changes["title"] = group.title[:TITLE_LENGTH]  # what it opened with has grown worse
    Incident.objects.filter(pk=incident.pk).update(**changes)
    incident.refresh_from_db()


def _decide_joined(incident: Incident, group: AnomalyGroup, *, anomalies: Sequence[int], now: datetime) -> None:
    shared = [name for name in group.services if name in incident.services]
    gap = max((group.started_at - incident.last_anomaly_at).total_seconds(), 0.0)
    place = f"same service {shared[0]}" if shared else f"{', '.join(group.services[:3])} is one call away"
    sentence = f"Joined {incident.reference}: {_size(group)}, {place}, {gap:.0f} s after its last news"
    features = {
        "same service": float(bool(shared)),
        "calls": float(not shared),
        "ten minutes apart": round(gap / 600, 3),
    }
    _decide(
        GroupingDecision(
            incident=incident,
            subject=group.title,
            outcome=GroupingDecision.Outcome.JOINED,
            features=features,
            moved={"anomalies": list(anomalies)},
            sentence=sentence,
            decided_at=now,
        )
    )


def _decide(decision: GroupingDecision) -> None:
    if decision.incident is None or decision.incident.source != LIVE:
        return  # a replay teaches nothing and has nothing to undo
    decision.subject, decision.sentence = decision.subject[:SUBJECT_LENGTH], decision.sentence[:SENTENCE_LENGTH]
    decision.save()


def _size(group: AnomalyGroup) -> str:
    return f"{len(group.episodes)} anomal{'y' if len(group.episodes) == 1 else 'ies'}"


def _last_seen(group: AnomalyGroup, *, source: str, now: datetime) -> datetime:
    """Return when the group was last seen out of range: live, what lasts is out of range now; a replay's clock has no now."""
    times = [group.opened_at]
    for episode in group.episodes:
        times += [episode.detected_at, episode.peaked_at]
        if episode.ended_at is not None:
            times.append(episode.ended_at)
        elif source == LIVE:
            times.append(now)
    return max(times)


def _most_telling(episodes: Sequence[Episode]) -> list[Episode]:
    """Order episodes by what users feel, then by how far out they were."""
    return sorted(episodes, key=lambda episode: (-impact_of(episode, is_entry=False).weight, -episode.score))
