"""People's rules: alerts that match and share the values of some labels within some minutes are one incident."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from incidents.intake import matching
from incidents.lifecycle import ACTIVE, NotPossible
from incidents.models import Alert, GroupingDecision, GroupingRule

Key = tuple[tuple[str, str], ...]
State = GroupingRule.State
SHADOW_SHOWN = 2_000
LABEL_LENGTH = 64
MOST_LABELS = 5
LONGEST_WINDOW = 24 * 60  # minutes


def check(rule: GroupingRule) -> None:
    """Return when the rule, saved or not, can be used. Raises NotPossible saying what to change."""
    if not rule.name:
        raise NotPossible("Give the rule a name: decisions name it.")
    if not 1 <= rule.window_minutes <= LONGEST_WINDOW:
        raise NotPossible(f"A window of {rule.window_minutes} minutes is not possible: 1 to {LONGEST_WINDOW}.")
    if len(rule.group_by) > MOST_LABELS or any(len(label) > LABEL_LENGTH for label in rule.group_by):
        raise NotPossible(f"Group by at most {MOST_LABELS} labels of at most {LABEL_LENGTH} characters each.")
    if not rule.group_by and not rule.matchers:
        raise NotPossible(
            "Without matchers and labels every alert would be one incident: say which, or group by a label."
        )


def save(rule: GroupingRule, *, by: User) -> None:
    """Save a rule; a new one is asked last. Raises NotPossible."""
    check(rule)
    if GroupingRule.objects.filter(name=rule.name).exclude(pk=rule.pk).exists():
        raise NotPossible(f"There is a rule called “{rule.name}” already: choose another name.")
    if rule._state.adding:
        rule.created_by = by
        rule.position = (GroupingRule.objects.aggregate(last=Max("position"))["last"] or 0) + 1
    rule.save()


def move(rule: GroupingRule, *, to: int) -> None:
    """Ask the rule in the `to`-th place, counted from 0; before the first is first, behind the last is last."""
    with transaction.atomic():
        order = [
            one for one in GroupingRule.objects.select_for_update().order_by("position", "pk") if one.pk != rule.pk
        ]
        order.insert(max(to, 0), rule)
        for position, one in enumerate(order):
            GroupingRule.objects.filter(pk=one.pk).update(position=position)


def place_of(rule: GroupingRule) -> int:
    """Return the rule's place in the order in which rules are asked, from 0."""
    return list(GroupingRule.objects.order_by("position", "pk").values_list("pk", flat=True)).index(rule.pk)


def active_rules() -> tuple[list[GroupingRule], list[GroupingRule]]:
    """Return the rules that decide and those in shadow mode, each in the order in which they are asked."""
    rules = list(GroupingRule.objects.exclude(state=State.OFF))
    return [r for r in rules if r.state == State.ON], [r for r in rules if r.state == State.SHADOW]


def key_of(alert: Alert, rule: GroupingRule) -> Key | None:
    """Return the values that the rule groups the alert by; None when it does not match, or has none of the labels."""
    if not matching.matches(alert, rule.matchers):
        return None
    key = tuple((label, matching.value_of(alert, label)) for label in rule.group_by)
    # Alerts without any of the labels share nothing, whatever the rule says.
    return key if not key or any(value for _, value in key) else None


def first_match(alert: Alert, rules: Iterable[GroupingRule]) -> tuple[GroupingRule, Key] | None:
    """Return the first rule that is about the alert, with its key."""
    for rule in rules:
        key = key_of(alert, rule)
        if key is not None:
            return rule, key
    return None


def incidents_by_key(rules: Sequence[GroupingRule], *, now: datetime) -> dict[tuple[int, Key], int]:
    """Return which open incident each rule last put alerts of a key into, as far back as its window."""
    found: dict[tuple[int, Key], int] = {}
    for rule in rules:
        decisions = (
            GroupingDecision.objects.filter(
                rule=rule,
                is_shadow=False,
                undone_at=None,
                decided_at__gte=now - timedelta(minutes=rule.window_minutes),
                incident__status__in=ACTIVE,
                alert__isnull=False,
            )
            .order_by("incident_id", "-decided_at")
            .distinct("incident_id")
            .select_related("alert__source")
        )
        for decision in sorted(decisions, key=lambda one: one.decided_at):
            key = key_of(decision.alert, rule) if decision.alert else None
            if key is not None and decision.incident_id is not None:
                found[rule.pk, key] = decision.incident_id
    return found


def in_words(rule: GroupingRule, key: Key) -> str:
    """Return what a rule found in common, as a sentence says it."""
    common = ", ".join(f"{label}={value}" for label, value in key if value)
    return f"rule “{rule.name}”{f', same {common}' if common else ''}"


def shadow_summary(rule: GroupingRule, *, since: datetime) -> tuple[int, int, int]:
    """Return of how many alerts a rule in shadow mode would have made how many incidents, and how many they really are."""
    decisions = (
        GroupingDecision.objects.filter(rule=rule, is_shadow=True, decided_at__gte=since, alert__isnull=False)
        .select_related("alert__source")
        .order_by("-decided_at")[:SHADOW_SHOWN]
    )
    moments: dict[Key, list[datetime]] = defaultdict(list)
    real = set()
    for decision in decisions:
        key = key_of(decision.alert, rule) if decision.alert else None
        if key is None or decision.alert is None:
            continue
        moments[key].append(decision.decided_at)
        real.add(decision.alert.incident_id)
    window = timedelta(minutes=rule.window_minutes)
    would = sum(runs(times, window=window) for times in moments.values())
    return sum(len(times) for times in moments.values()), would, len(real - {None})


def runs(times: Iterable[datetime], *, window: timedelta) -> int:
    """Return into how many runs the moments fall when a pause longer than the window ends one."""
    ordered = sorted(times)
    return sum(1 for n, at in enumerate(ordered) if n == 0 or at - ordered[n - 1] > window)
