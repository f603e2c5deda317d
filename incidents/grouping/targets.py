"""Where the alerts of one batch may go: open incidents, and those that the batch itself opens."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidents.detection import affinity
from incidents.detection.affinity import Trouble
from incidents.lifecycle import ACTIVE, LIVE, profiles
from incidents.models import Alert, GroupingRule, Incident

MOST_CANDIDATES = 200
STORM = "storm"  # the tag of an incident that takes what a storm brings, and a feature of such decisions
# So many incidents may open in ten minutes; what comes then is one storm. People cannot run more at once, and a model explains each.
MOST_OPENED, OPENED_WITHIN = 25, timedelta(minutes=10)


@dataclass
class Target:
    """An incident, or one to be opened, with the alerts of this batch that go there."""

    profile: Trouble
    incident: Incident | None = None
    is_demo: bool = False
    is_storm: bool = False
    alerts: list[Alert] = field(default_factory=list)

    def take(self, alert: Alert, profile: Trouble) -> None:
        """Let the alert count among what the next one is compared with."""
        self.alerts.append(alert)
        self.profile = profiles.grown(self.profile, profile)

    @property
    def reference(self) -> str:
        """What people call it; a target has one once it is opened."""
        return self.incident.reference if self.incident else "a new incident"


@dataclass(frozen=True, slots=True)
class Placed:
    """One alert's way: where it goes, why in numbers and words."""

    alert: Alert
    target: Target
    is_new: bool
    why: str
    features: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    rule: GroupingRule | None = None


def open_targets(*, since: datetime) -> list[Target]:
    """Return the open incidents with news since a moment, the newest 200."""
    found = list(
        Incident.objects.filter(
            source=LIVE, status__in=ACTIVE, last_anomaly_at__gte=since - affinity.LONGEST_GAP
        ).order_by("-last_anomaly_at")[:MOST_CANDIDATES]
    )
    known = profiles.profiles_of(found)
    return [
        Target(known[incident.pk], incident, is_demo=incident.is_demo, is_storm=STORM in incident.tags)
        for incident in found
    ]


def in_one_storm(one: Trouble, other: Trouble) -> bool:
    """Say whether a storm may hold both: environments keep to themselves."""
    return not one.environments or not other.environments or bool(one.environments & other.environments)


def room_for_more(*, now: datetime) -> int:
    """Return how many incidents may still open now."""
    opened = Incident.objects.filter(source=LIVE, opened_at__gte=now - OPENED_WITHIN).count()
    return MOST_OPENED - opened
