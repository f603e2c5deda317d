"""A storm: so many alerts begin at once that nobody could tell incidents apart, so they are one, with what opened just before."""

from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q

from incidents import lifecycle
from incidents.detection.affinity import Trouble
from incidents.grouping.targets import STORM, in_one_storm
from incidents.lifecycle import profiles
from incidents.lifecycle.groups import TITLE_LENGTH
from incidents.models import Alert, GroupingDecision, Incident, IncidentRole, TimelineEntry
from incidents.models.incident import IncidentQuerySet

STORM_FROM = 200  # alerts that begin within five minutes: hardly ever is it more than one thing
WHY = "it opened while a storm of alerts began"


def gather(*, alerts: int, now: datetime) -> list[GroupingDecision]:
    """Merge the incidents that opened as a storm began, and that nobody has touched, into one that takes what comes.

    An open storm takes them, else the one with most alerts, which becomes the storm. Made-up alerts and other environments stay apart.
    Returns the decisions; people can undo each, and what they undid stays as they want it. The caller holds the live source's lock.
    """
    size = Count("alerts", distinct=True)
    open_storms = Q(tags__contains=[STORM], status__in=lifecycle.ACTIVE, last_anomaly_at__gte=now - profiles.BURST)
    live = Incident.objects.filter(source=lifecycle.LIVE, merged_into=None)
    storms = list(live.filter(open_storms).annotate(size=size).order_by("pk"))
    young = list(_untouched(live, now=now).exclude(open_storms).annotate(size=size).order_by("-size", "pk"))
    known = profiles.profiles_of([*storms, *young])
    merged = []
    for incident in young:
        into = next((one for one in storms if _go_together(one, incident, known)), None)
        if into is None:
            _mark(incident, alerts=alerts, now=now)
            storms.append(incident)
        else:
            merged.append(lifecycle.merge(incident, into=into, by="", why=WHY, now=now))
    return merged


def title(first: str) -> str:
    """Return what a storm is called after what came first."""
    return f"Alert storm, beginning with {first}"[:TITLE_LENGTH]


def _go_together(storm: Incident, incident: Incident, known: dict[int, Trouble]) -> bool:
    return storm.is_demo == incident.is_demo and in_one_storm(known[storm.pk], known[incident.pk])


def _mark(storm: Incident, *, alerts: int, now: datetime) -> None:
    """Say on an incident that it is what a storm's alerts go to."""
    storm.tags = [*storm.tags, STORM]
    storm.title = title(storm.title)
    storm.save(update_fields=["tags", "title"])
    text = f"A storm: {alerts} alerts began within five minutes, so what begins now is kept together here"
    kind = TimelineEntry.Kind.COPILOT
    TimelineEntry.objects.create(incident=storm, kind=kind, happened_at=now, known_at=now, text=text)


def _untouched(live: IncidentQuerySet, *, now: datetime) -> IncidentQuerySet:
    """Return incidents of the last five minutes that alerts opened, by no rule of a person's, and with which nobody has done anything."""
    this = OuterRef("pk")
    return live.filter(
        ~Exists(TimelineEntry.objects.filter(incident=this, kind=TimelineEntry.Kind.PERSON)),
        ~Exists(GroupingDecision.objects.filter(incident=this, rule__isnull=False, is_shadow=False)),
        ~Exists(IncidentRole.objects.filter(incident=this)),
        Exists(Alert.objects.filter(incident=this)),
        opened_at__gte=now - profiles.BURST,
        status=Incident.Status.OPEN,
        is_restricted=False,
    )
