"""Alerts and incidents as `detection.affinity` compares them, read in few queries whatever their number."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber

from incidents.detection import affinity
from incidents.detection.affinity import Surroundings, Trouble
from incidents.models import Alert, Change, GroupingDecision, Incident, ServiceEdge

RECENT_ALERTS = 500  # what is rare is judged by these
ALERTS_EACH = 25  # of an incident's alerts, the newest so many stand for all
MOST_LABELS, MOST_WORDS = 200, 60
BURST = timedelta(minutes=5)
CHANGES_SINCE = timedelta(hours=3)
MOST_CHANGES = 500
LESSONS = 500  # the newest decisions that a person judged


def profile_of(alert: Alert) -> Trouble:
    """Return one alert as it is compared. Its begin is not later than when it was first received: clocks differ."""
    began = min(alert.starts_at, alert.last_received_at)
    return Trouble(
        services=frozenset({alert.service} if alert.service else ()),
        began_at=began,
        last_at=max(began, min(alert.last_event_at, alert.last_received_at)),
        labels=affinity.labels_of(alert.labels),
        words=affinity.words_of(alert.name, alert.summary),
        teams=frozenset({alert.team} if alert.team else ()),
        environments=frozenset({alert.environment} if alert.environment else ()),
    )


def profiles_of(incidents: Collection[Incident]) -> dict[int, Trouble]:
    """Return the incidents as they are compared, by primary key: the sum of their newest alerts, their services and their title."""
    alerts: dict[int, list[Alert]] = defaultdict(list)
    newest = Window(RowNumber(), partition_by=F("incident_id"), order_by=F("last_event_at").desc())
    held = Alert.objects.filter(incident__in=[incident.pk for incident in incidents]).annotate(place=newest)
    for alert in held.filter(place__lte=ALERTS_EACH):
        if alert.incident_id is not None:
            alerts[alert.incident_id].append(alert)
    return {incident.pk: _profile(incident, alerts[incident.pk]) for incident in incidents}


def grown(incident: Trouble, alert: Trouble) -> Trouble:
    """Return the incident with the alert in it."""
    words = Counter(incident.words)
    if len(words) < MOST_WORDS:
        words.update(alert.words)
    labels = incident.labels if len(incident.labels) >= MOST_LABELS else incident.labels | alert.labels
    return replace(
        incident,
        services=incident.services | alert.services,
        began_at=min(incident.began_at, alert.began_at),
        last_at=max(incident.last_at, alert.last_at),
        labels=labels,
        words=words,
        teams=incident.teams | alert.teams,
        environments=incident.environments | alert.environments,
    )


def surroundings(*, now: datetime) -> Surroundings:
    """Return what recent alerts, the topology and recent changes say at this moment."""
    firing = Alert.objects.filter(status=Alert.Status.FIRING)
    recent = list(firing.order_by("-last_received_at").values_list("name", "summary", "labels")[:RECENT_ALERTS])
    began = Q(first_received_at__gte=now - BURST) | Q(starts_at__gte=now - BURST)
    changes: dict[str, list[datetime]] = defaultdict(list)
    told = Change.objects.filter(source="live", at__gte=now - CHANGES_SINCE).order_by("-at")
    for service, at in told.values_list("service", "at")[:MOST_CHANGES]:
        changes[service].append(at)
    return Surroundings(
        documents=len(recent),
        word_counts=Counter(word for name, summary, _ in recent for word in affinity.words_of(name, summary)),
        label_counts=affinity.counts_of(affinity.labels_of(labels) for _, _, labels in recent),
        neighbours=affinity.neighbours_of(
            ServiceEdge.objects.known(now=now).values_list("caller__name", "callee__name")
        ),
        changes=changes,
        alerts_in_five_minutes=firing.filter(began, quiet="", last_received_at__gte=now - BURST).count(),
    )


def between(alerts: Iterable[Alert], incident: Incident, *, now: datetime) -> dict[str, float]:
    """Return the features between some alerts, taken as one trouble, and an incident; {{}} without any alert."""
    joined: Trouble | None = None
    for alert in alerts:
        one = profile_of(alert)
        joined = one if joined is None else grown(joined, one)
    if joined is None:
        return {}
    other = profiles_of([incident])[incident.pk]
    return rounded(affinity.features(joined, other, within=surroundings(now=now)))


def rounded(found: Mapping[str, float]) -> dict[str, float]:
    """Return features as they are kept: without what is zero, three digits after the point."""
    return {name: round(value, 3) for name, value in found.items() if abs(value) >= 0.0005}


def lessons() -> list[tuple[dict[str, float], bool]]:
    """Return the newest decisions that a person made or undid, as (features, whether the two belong together)."""
    kinds = GroupingDecision.Outcome
    judged = GroupingDecision.objects.filter(is_shadow=False).exclude(features={})
    # What the program merged by itself is no lesson until somebody undoes it.
    made = judged.filter(outcome__in=(kinds.MERGED, kinds.SPLIT)).exclude(decided_by="", undone_at=None)
    undone = judged.filter(outcome=kinds.JOINED, undone_at__isnull=False)
    found = sorted((made | undone).order_by("-decided_at")[:LESSONS], key=lambda decision: decision.decided_at)
    return [(decision.features, _together(decision)) for decision in found]


def weights() -> dict[str, float]:
    """Return the weights of the score as people's decisions have bent them until now."""
    return affinity.learn(lessons())


def _together(decision: GroupingDecision) -> bool:
    was_undone = decision.undone_at is not None
    return was_undone if decision.outcome == GroupingDecision.Outcome.SPLIT else not was_undone


def _profile(incident: Incident, alerts: Collection[Alert]) -> Trouble:
    profile = Trouble(
        services=frozenset(incident.services),
        began_at=incident.started_at,
        last_at=incident.last_anomaly_at,
        words=affinity.words_of(incident.title),
    )
    for alert in alerts:
        profile = grown(profile, profile_of(alert))
    return replace(profile, began_at=incident.started_at, last_at=incident.last_anomaly_at)
