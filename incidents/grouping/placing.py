"""Putting a batch of alerts into incidents: one lock, a fixed number of queries, each decision with its reasons."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction
from django.db.models import Max

from incidents import lifecycle
from incidents.detection import affinity
from incidents.detection.affinity import Surroundings, Trouble
from incidents.grouping import rules, storms
from incidents.grouping.targets import STORM, Placed, Target, in_one_storm, open_targets, room_for_more
from incidents.lifecycle import OVER, profiles
from incidents.lifecycle.alerts import title_for
from incidents.models import Alert, AlertEvent, GroupingDecision, GroupingRule

Outcome = GroupingDecision.Outcome
SUBJECT_LENGTH, SENTENCE_LENGTH = 300, 500
_SILENCED = {Alert.Quiet.MAINTENANCE, Alert.Quiet.SNOOZED}


class Quieten(Protocol):
    """Marks, on the objects and their rows, which alerts do not count for now."""

    def __call__(self, alerts: Sequence[Alert], *, now: datetime) -> None: ...


def place(alert_ids: Collection[int], *, now: datetime, quieten: Quieten | None = None) -> list[GroupingDecision]:
    """Put each alert that fires and has no open incident into one, and return the decisions, shadow ones included.

    What alerts in incidents did since is written into their timelines. `quieten` marks those that do not count for now; without it all
    do. Rules that are on decide first, then affinity: the best open incident from a score of 0.5 on, else a new one. When 200 alerts begin
    in five minutes, or more than 25 incidents would open in ten, the rest is one storm. Safe to repeat and to run twice at once.
    """
    alerts = _read(alert_ids)
    lifecycle.note_alerts(alerts, now=now)
    if not _waiting(alerts):
        return []
    with transaction.atomic():
        lifecycle.one_at_a_time(lifecycle.LIVE)
        waiting = _waiting(_read(alert_ids))
        quiet: list[GroupingDecision] = []
        if quieten is not None:
            waiting, quiet = _count_quiet(waiting, quieten, now=now)
        placed = _Round(now=now, first_at=min((a.starts_at for a in waiting), default=now)).place(waiting)
        return GroupingDecision.objects.bulk_create([*quiet, *_decisions(placed, now=now)])


class _Round:
    """One batch under the lock: where everything may go, and where it went so far."""

    def __init__(self, *, now: datetime, first_at: datetime) -> None:
        self.now = now
        self.within: Surroundings = profiles.surroundings(now=now)
        self.is_storm = self.within.alerts_in_five_minutes >= storms.STORM_FROM
        if self.is_storm:
            storms.gather(alerts=self.within.alerts_in_five_minutes, now=now)
        self.targets = open_targets(since=min(first_at, now))
        self.rules, _ = rules.active_rules()
        by_pk = {target.incident.pk: target for target in self.targets if target.incident}
        known = rules.incidents_by_key(self.rules, now=now)
        self.by_key = {key: by_pk[pk] for key, pk in known.items() if pk in by_pk}
        self.weights = profiles.weights()
        self.room = room_for_more(now=now)

    def place(self, alerts: Sequence[Alert]) -> list[Placed]:
        """Decide on each alert, the earliest first, then open and fill the incidents."""
        ordered = sorted(alerts, key=lambda alert: (alert.starts_at, alert.severity, alert.pk))
        placed = [self._place(alert) for alert in ordered]
        for target in self.targets:
            if not target.alerts:
                continue
            if target.incident is None:
                title = storms.title(title_for(target.alerts[0])) if target.is_storm else ""
                tags = [STORM] if target.is_storm else []
                target.incident = lifecycle.open_for_alerts(target.alerts, title=title, tags=tags, now=self.now)
            else:
                target.incident = lifecycle.join_alerts(target.incident, target.alerts, now=self.now)
        return placed

    def _place(self, alert: Alert) -> Placed:
        profile = profiles.profile_of(alert)
        found = rules.first_match(alert, self.rules)
        placed = self._by_rule(alert, profile, *found) if found else self._by_affinity(alert, profile)
        placed.target.take(alert, profile)
        return placed

    def _by_rule(self, alert: Alert, profile: Trouble, rule: GroupingRule, key: rules.Key) -> Placed:
        target = self.by_key.get((rule.pk, key))
        is_new = target is None
        if target is None:
            target = self.by_key[rule.pk, key] = self._new(alert, profile)
        return Placed(alert, target, is_new, rules.in_words(rule, key), rule=rule)

    def _by_affinity(self, alert: Alert, profile: Trouble) -> Placed:
        best, best_score, best_found = None, 0.0, dict[str, float]()
        for target in self.targets:
            if target.is_demo != alert.is_demo:
                continue
            found = affinity.features(profile, target.profile, within=self.within)
            chance = affinity.score(found, weights=self.weights)
            if chance > best_score:
                best, best_score, best_found = target, chance, found
        features, score = profiles.rounded(best_found), round(best_score, 3) if best else None
        if best is not None and best_score >= affinity.THRESHOLD:
            why = self._reasons(profile, best, best_found)
            return Placed(alert, best, False, why, features=features, score=score)
        if self.is_storm or self.room <= 0:
            return self._into_storm(alert, profile, {**features, STORM: 1.0}, score)
        if best is None:
            why = "nothing else was open"
        else:
            why = f"nothing open is near enough; the closest, {best.reference}, scored {score:.2f} and needs 0.50"
        return Placed(alert, self._new(alert, profile), True, why, features=features, score=score)

    def _into_storm(self, alert: Alert, profile: Trouble, features: dict[str, float], score: float | None) -> Placed:
        open_storms = (t for t in self.targets if t.is_storm and t.is_demo == alert.is_demo)
        storm = next((t for t in open_storms if in_one_storm(t.profile, profile)), None)
        why = "too many incidents opened in ten minutes"
        if self.is_storm:
            why = f"{self.within.alerts_in_five_minutes} alerts began within five minutes"
        target = storm or self._new(alert, profile)
        target.is_storm = True
        why = f"{why}, so what is near nothing else is kept together as one storm"
        return Placed(alert, target, storm is None, why, features=features, score=score)

    def _new(self, alert: Alert, profile: Trouble) -> Target:
        target = Target(profile, is_demo=alert.is_demo)
        self.targets.append(target)
        self.room -= 1
        return target

    def _reasons(self, alert: Trouble, target: Target, found: dict[str, float]) -> str:
        """Say what they have in common, the strongest first, and how long apart they are."""
        shared = affinity.rare_labels(alert, target.profile, within=self.within)[:2]
        service = next(iter(alert.services), "")
        words = {
            "same service": f"same service {service}",
            "calls": f"{service} is {'one call' if found['calls'] == 1 else 'two calls'} away",
            "shared labels": f"shares {', '.join(f'{name}={value}' for name, value in shared)}" if shared else "",
            "wording": "similar words",
            "same team": f"same team {next(iter(alert.teams), '')}",
            "after the same change": "after the same change",
            "burst": f"in a burst of {self.within.alerts_in_five_minutes} alerts",
        }
        said = [words[name] for name in affinity.reasons(found, weights=self.weights) if words.get(name)]
        gap = (alert.began_at - target.profile.last_at).total_seconds()
        said.insert(1, f"{gap:.0f} s after its last news" if gap >= 1 else "while it goes on")
        return ", ".join(said)


def _read(alert_ids: Collection[int]) -> list[Alert]:
    return list(Alert.objects.filter(pk__in=alert_ids).select_related("source", "incident"))


def _waiting(alerts: Sequence[Alert]) -> list[Alert]:
    """Return those that fire and have no incident, or only one that was over before they fired anew."""
    firing = [alert for alert in alerts if alert.status == Alert.Status.FIRING]
    ended = {a.pk: a.incident for a in firing if a.incident is not None and a.incident.status in OVER}
    again = set()
    if ended:
        newest = (
            AlertEvent.objects.filter(alert__in=ended, status=Alert.Status.FIRING)
            .order_by()
            .values_list("alert_id")
            .annotate(newest=Max("received_at"))
        )
        for alert_id, received_at in newest:
            incident = ended[alert_id]
            over_at = (incident.resolved_at or incident.closed_at) if incident else None
            if over_at is None or received_at > over_at:
                again.add(alert_id)
    return [alert for alert in firing if alert.incident is None or alert.pk in again]


def _count_quiet(
    alerts: Sequence[Alert], quieten: Quieten, *, now: datetime
) -> tuple[list[Alert], list[GroupingDecision]]:
    """Return the alerts that count, and a decision for each that has become quiet just now."""
    before = {alert.pk: alert.quiet for alert in alerts}
    quieten(alerts, now=now)
    decisions = []
    for alert in alerts:
        if alert.quiet and alert.quiet != before[alert.pk]:
            until = f" until {alert.quiet_until:%H:%M:%S} UTC" if alert.quiet_until else ""
            decisions.append(
                GroupingDecision(
                    alert=alert,
                    subject=lifecycle.name_of(alert)[:SUBJECT_LENGTH],
                    outcome=Outcome.SILENCED if alert.quiet in _SILENCED else Outcome.HELD,
                    sentence=f"Opened nothing{until}: {Alert.Quiet(alert.quiet).label}",
                    decided_at=now,
                )
            )
    return [alert for alert in alerts if not alert.quiet], decisions


def _decisions(placed: Sequence[Placed], *, now: datetime) -> list[GroupingDecision]:
    _, shadows = rules.active_rules()
    first: set[int] = set()
    made = []
    for number, one in enumerate(placed):
        opens = one.is_new and id(one.target) not in first
        first.add(id(one.target))
        # A millisecond apart, so that their order is the order in which they were made.
        at = now + timedelta(milliseconds=number)
        sentence = f"{'Opened' if opens else 'Joined'} {one.target.reference}: {one.why}"
        common = {
            "incident": one.target.incident,
            "alert": one.alert,
            "subject": lifecycle.name_of(one.alert)[:SUBJECT_LENGTH],
            "decided_at": at,
        }
        made.append(
            GroupingDecision(
                outcome=Outcome.OPENED if opens else Outcome.JOINED,
                features=one.features,
                score=one.score,
                rule=one.rule,
                sentence=sentence[:SENTENCE_LENGTH],
                **common,
            )
        )
        for rule in shadows:
            key = rules.key_of(one.alert, rule)
            if key is not None:
                said = f"In shadow mode, {rules.in_words(rule, key)}"
                made.append(
                    GroupingDecision(
                        outcome=Outcome.JOINED, rule=rule, is_shadow=True, sentence=said[:SENTENCE_LENGTH], **common
                    )
                )
    return made
