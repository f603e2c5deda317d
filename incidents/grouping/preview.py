"""What a rule would have done with the alerts of the last days, and how that compares with what people left together."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from incidents.grouping.rules import Key, key_of
from incidents.models import Alert, GroupingDecision, GroupingRule

DAYS = 30
MOST_READ, MOST_USED = 10_000, 5_000
GROUPS_SHOWN = 20
TOO_MANY_UNDONE = 0.2  # share from which a rule is said to be too wide
_FIELDS_IN_SQL = {"name", "service", "environment", "team"}


@dataclass(frozen=True, slots=True)
class PreviewedGroup:
    """One incident that the rule would have made, and in how many its alerts ended."""

    key: str
    alerts: int
    began_at: datetime
    ended_in: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole comparison. `precision` and `recall` are shares of pairs of alerts, None when there are no pairs to compare."""

    alerts: int
    groups: tuple[PreviewedGroup, ...]
    would_be: int
    incidents: int
    merged_by_people: int
    decided: int  # what the rule really put together in these days
    undone: int  # of that, what people took out again
    precision: float | None
    recall: float | None
    is_cut: bool

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        if not self.alerts:
            return f"No alert of the last {DAYS} days matches."
        made = f"{self.would_be} incident{'' if self.would_be == 1 else 's'}"
        said = f"Would have grouped these {self.alerts} alerts into {made}; they ended in {self.incidents}"
        if self.merged_by_people:
            said = f"{said}; people merged {self.merged_by_people}"
        return f"{said}; {judged}." if (judged := judgement(self.decided, self.undone)) else f"{said}."


def preview(rule: GroupingRule, *, now: datetime) -> Preview:
    """Return what the rule, saved or not, would have done with the newest 5,000 matching alerts of 30 days, by when each last began to fire."""
    alerts, is_cut = _history(rule, now=now)
    window = timedelta(minutes=rule.window_minutes)
    groups: list[tuple[Key, list[Alert]]] = []
    latest: dict[Key, list[Alert]] = {}
    for alert, key in alerts:
        members = latest.get(key)
        if members is None or alert.starts_at - members[-1].starts_at > window:
            members = latest[key] = []
            groups.append((key, members))
        members.append(alert)
    ended = [alert.incident_id for alert, _ in alerts if alert.incident_id is not None]
    decided, undone = judged(rule, since=now - timedelta(days=DAYS))
    precision, recall = _agreement([[a.incident_id for a in members] for _, members in groups])
    shown = sorted(groups, key=lambda group: -len(group[1]))[:GROUPS_SHOWN]
    return Preview(
        alerts=len(alerts),
        groups=tuple(
            PreviewedGroup(
                key=", ".join(f"{label}={value}" for label, value in key if value) or "all together",
                alerts=len(members),
                began_at=members[0].starts_at,
                ended_in=tuple(sorted({a.incident_id for a in members if a.incident_id is not None})),
            )
            for key, members in shown
        ),
        would_be=len(groups),
        incidents=len(set(ended)),
        merged_by_people=GroupingDecision.objects.filter(
            outcome=GroupingDecision.Outcome.MERGED, undone_at=None, incident__in=set(ended)
        )
        .exclude(decided_by="")
        .count(),
        decided=decided,
        undone=undone,
        precision=precision,
        recall=recall,
        is_cut=is_cut,
    )


def judged(rule: GroupingRule, *, since: datetime) -> tuple[int, int]:
    """Return how many alerts the rule, while it was on, put with others since then, and how many of those people took out again."""
    if not rule.pk:
        return 0, 0
    joined = GroupingDecision.objects.filter(
        rule=rule, is_shadow=False, outcome=GroupingDecision.Outcome.JOINED, decided_at__gte=since
    )
    counts = joined.aggregate(decided=Count("pk"), undone=Count("pk", filter=Q(undone_at__isnull=False)))
    return counts["decided"], counts["undone"]


def judgement(decided: int, undone: int) -> str:
    """Say what people thought of a rule's decisions; "" when it made none."""
    if not decided:
        return ""
    said = f"people undid {undone} of the {decided} it decided"
    return f"{said}: it takes in too much" if undone / decided >= TOO_MANY_UNDONE else said


def _history(rule: GroupingRule, *, now: datetime) -> tuple[list[tuple[Alert, Key]], bool]:
    """Return the alerts that the rule is about with their keys, oldest first, and whether there were more than are read."""
    found = Alert.objects.filter(last_event_at__gte=now - timedelta(days=DAYS), quiet="").select_related("source")
    for label, value in rule.matchers.items():
        if "*" in value:
            continue
        if label in _FIELDS_IN_SQL:
            found = found.filter(**{label: value})
        elif label != "source":
            found = found.filter(labels__contains={label: value})
    read = list(found.order_by("-last_received_at")[:MOST_READ])
    keyed = [(alert, key) for alert in read if (key := key_of(alert, rule)) is not None]
    kept = sorted(keyed[:MOST_USED], key=lambda pair: (pair[0].starts_at, pair[0].pk))
    return kept, len(read) == MOST_READ or len(keyed) > MOST_USED


def _agreement(groups: Sequence[Sequence[int | None]]) -> tuple[float | None, float | None]:
    """Compare pairs: of those that the rule puts together, how many ended together; of those that did, how many it finds."""
    together = both = 0
    ended: Counter[int] = Counter()
    for members in groups:
        counts: dict[int, int] = defaultdict(int)
        for incident in members:
            if incident is not None:
                counts[incident] += 1
        together += _pairs(sum(counts.values()))
        both += sum(_pairs(count) for count in counts.values())
        ended.update(counts)
    people = sum(_pairs(count) for count in ended.values())
    return both / together if together else None, both / people if people else None


def _pairs(count: int) -> int:
    return count * (count - 1) // 2
