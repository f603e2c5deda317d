"""Grouping rules: people say which alerts are one incident, see what that would have done, and watch a rule in shadow mode first."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from incidents import grouping
from incidents.detection import affinity
from incidents.grouping import rules
from incidents.intake import matching
from incidents.lifecycle import NotPossible, profiles
from incidents.models import GroupingRule

may_set_up = permission_required("incidents.manage_sources", raise_exception=True)

NAME_LENGTH = 100
SHADOW_DAYS = 7


@dataclass(frozen=True, slots=True)
class ShownRule:
    """One rule in the list; `shadow` is what it would have done lately, "" unless it is in shadow mode."""

    pk: int
    name: str
    state: str
    state_label: str
    matchers: str
    group_by: str
    window_minutes: int
    shadow: str


@dataclass(frozen=True, slots=True)
class ShownWeight:
    """One weight of the score: where it starts, and where people's decisions have bent it."""

    name: str
    prior: str
    learned: str
    is_bent: bool


@may_set_up
@require_GET
@never_cache
def rule_list(request: HttpRequest) -> HttpResponse:
    """Show the rules in the order in which they are asked, a form for a new one, and the score that decides otherwise."""
    return _page(request, rule=GroupingRule(name="", group_by=["service"], window_minutes=30))


@may_set_up
@require_GET
@never_cache
def rule_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the rules with one in the form."""
    return _page(request, rule=get_object_or_404(GroupingRule, pk=pk))


@may_set_up
@require_POST
def rule_save(request: HttpRequest) -> HttpResponse:
    """Save a rule, new or known, or show what it would have done, by the button that was pressed."""
    given = request.POST.get("pk", "")
    known = get_object_or_404(GroupingRule, pk=int(given[:18])) if given.isdigit() else None
    now = timezone.now()
    rule = known or GroupingRule(created_at=now)
    try:
        _fill(rule, request)
    except (NotPossible, matching.BadMatcher) as error:
        return _page(request, rule=rule, problem=str(error), text=request.POST.get("matchers", ""))
    if request.POST.get("do") == "preview":
        return _page(request, rule=rule, preview=grouping.preview(rule, now=now))
    try:
        rules.save(rule, by=get_object_or_404(User, pk=request.user.pk))
    except NotPossible as error:
        return _page(request, rule=rule, problem=str(error))
    messages.success(request, f"“{rule.name}” is saved: {rule.get_state_display()}.")
    return redirect("rule-list")


@may_set_up
@require_POST
def rule_move(request: HttpRequest, pk: int) -> HttpResponse:
    """Move a rule up or down, or delete it."""
    rule = get_object_or_404(GroupingRule, pk=pk)
    if request.POST.get("do") == "delete":
        rule.delete()
        messages.success(request, f"“{rule.name}” is deleted. What it decided stays.")
        return redirect("rule-list")
    rules.move(rule, to=rules.place_of(rule) + (-1 if request.POST.get("do") == "up" else 1))
    return redirect("rule-list")


def _fill(rule: GroupingRule, request: HttpRequest) -> None:
    """Take over what was typed. Raises NotPossible or BadMatcher."""
    rule.name = " ".join(request.POST.get("name", "").split())[:NAME_LENGTH]
    minutes = request.POST.get("window_minutes", "")
    rule.window_minutes = int(minutes) if minutes.isdigit() and len(minutes) < 6 else 0
    labels = [label.strip() for label in request.POST.get("group_by", "").split(",") if label.strip()]
    rule.group_by = list(dict.fromkeys(labels))
    state = request.POST.get("state", "")
    rule.state = state if state in GroupingRule.State.values else GroupingRule.State.SHADOW
    rule.matchers = matching.parse(request.POST.get("matchers", ""))
    rules.check(rule)


def _page(
    request: HttpRequest,
    *,
    rule: GroupingRule,
    preview: grouping.Preview | None = None,
    problem: str = "",
    text: str | None = None,
) -> HttpResponse:
    now = timezone.now()
    lines = "\n".join(f"{label}={value}" for label, value in rule.matchers.items()) if text is None else text
    weights = profiles.weights()
    context = {
        "rules": tuple(_shown(one, since=now - timedelta(days=SHADOW_DAYS)) for one in GroupingRule.objects.all()),
        "rule": rule,
        "matchers": lines,
        "labels": ", ".join(rule.group_by),
        "states": GroupingRule.State.choices,
        "preview": preview,
        "problem": problem,
        "weights": tuple(
            ShownWeight(name, f"{prior:+.1f}", f"{weights[name]:+.2f}", abs(weights[name] - prior) > 0.005)
            for name, prior in affinity.PRIOR.items()
        ),
        "lessons": len(profiles.lessons()),
        "threshold": f"{affinity.THRESHOLD:.2f}",
        "tab": "rules",
    }
    return render(request, "incidents/rules.html", context, status=400 if problem else 200)


def _shown(rule: GroupingRule, *, since: datetime) -> ShownRule:
    shadow = ""
    if rule.state == GroupingRule.State.SHADOW:
        alerts, would, real = grouping.shadow_summary(rule, since=since)
        shadow = (
            f"In {SHADOW_DAYS} days: {alerts} alerts would have been {would} incidents; they are {real}."
            if alerts
            else f"No alert has matched in {SHADOW_DAYS} days."
        )
    elif rule.state == GroupingRule.State.ON:
        said = grouping.judgement(*grouping.judged(rule, since=since))
        shadow = f"In {SHADOW_DAYS} days {said}." if said else f"It has decided nothing in {SHADOW_DAYS} days."
    return ShownRule(
        pk=rule.pk,
        name=rule.name,
        state=rule.state,
        state_label=GroupingRule.State(rule.state).label.partition(":")[0],
        matchers=matching.in_words(rule.matchers),
        group_by=", ".join(rule.group_by) or "nothing: all that match",
        window_minutes=rule.window_minutes,
        shadow=shadow,
    )
