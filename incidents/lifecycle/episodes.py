"""An incident's anomalies: kept as rows, recognised when they are seen again, and over when what users feel is back to usual."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from incidents.detection.anomaly import Episode
from incidents.detection.impact import Harm, impact_of
from incidents.lifecycle.timeline import Kind, write
from incidents.models import Alert, Anomaly, Incident
from incidents.models.judged import JUDGED

# An episode seen again may seem to begin a little earlier or later, as the window moves.
SAME_EPISODE_GAP = timedelta(minutes=2)
SERVICE_LENGTH, NAME_LENGTH, UNIT_LENGTH = 200, 300, 50


def keep_episodes(incident: Incident, episodes: Sequence[Episode]) -> None:
    """Write the episodes as anomalies of the incident; one that is already there is brought up to date."""
    held = same_episodes(episodes, incident.anomalies.all())
    new, changed = [], []
    for number, episode in enumerate(episodes):
        if number in held:
            _renew(held[number], episode)
            changed.append(held[number])
        else:
            new.append(_anomaly(incident, episode))
    Anomaly.objects.bulk_create(new, ignore_conflicts=True)
    Anomaly.objects.bulk_update(changed, [*JUDGED, "ended_at", "peak", "peaked_at", "score"])


def same_episodes(episodes: Sequence[Episode], anomalies: QuerySet[Anomaly]) -> dict[int, Anomaly]:
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


def note_recovery(incident: Incident, *, now: datetime) -> None:
    """Write once that everything users feel is back to usual, and once that every alert has resolved too.

    The incident stays as it is: a person says when it is over.
    """
    felt = [anomaly for anomaly in incident.anomalies.all() if _is_felt(anomaly)]
    ends = [anomaly.ended_at for anomaly in felt if anomaly.ended_at is not None]
    signals_over = len(ends) == len(felt)
    if felt and signals_over:
        text = f"Signals back to usual since {max(ends):%H:%M:%S} UTC"
        write(incident, kind=Kind.COPILOT, at=max(ends), text=text, now=now)
    alerts = incident.alerts.all()
    if not signals_over or not alerts.exists() or alerts.filter(status=Alert.Status.FIRING).exists():
        return
    last = alerts.order_by("-last_event_at").values_list("last_event_at", flat=True)[0]
    since = min(max([last, *ends]), now)
    text = f"Every alert has resolved{' and signals are back to usual' if felt else ''} since {since:%H:%M:%S} UTC"
    write(incident, kind=Kind.COPILOT, at=since, text=text, now=now)


def _key(episode: Episode) -> tuple[str, ...]:
    key = episode.key
    return key.service[:SERVICE_LENGTH], key.name[:NAME_LENGTH], key.attributes, episode.direction.value


def _overlaps(anomaly: Anomaly, episode: Episode) -> bool:
    begins_before_end = episode.ended_at is None or anomaly.started_at <= episode.ended_at + SAME_EPISODE_GAP
    ends_after_begin = anomaly.ended_at is None or anomaly.ended_at >= episode.started_at - SAME_EPISODE_GAP
    return begins_before_end and ends_after_begin


def _renew(anomaly: Anomaly, episode: Episode) -> None:
    anomaly.ended_at = episode.ended_at
    anomaly.take(episode.outlook)
    if episode.score > anomaly.score:
        anomaly.peak, anomaly.peaked_at, anomaly.score = episode.peak, episode.peaked_at, episode.score


def _anomaly(incident: Incident, episode: Episode) -> Anomaly:
    anomaly = Anomaly(
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
    anomaly.take(episode.outlook)
    return anomaly


def _is_felt(anomaly: Anomaly) -> bool:
    return impact_of(anomaly.episode, is_entry=False).harm > Harm.NONE
