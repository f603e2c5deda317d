"""Grouping rules: written, tried on history, put in order."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from copilot.api.access import READ_SOURCES, SET_UP, person
from copilot.api.matchers import matchers_of
from copilot.api.paging import Paging, answer, page
from copilot.api.replies import require_match
from copilot.api.setup_shapes import RuleBody, RulePreviewShape, RuleShape
from copilot.api.shapes import REFUSALS, PageShape, ProblemShape
from incidents import grouping
from incidents.catalog import tidy
from incidents.grouping import rules
from incidents.models import GroupingRule

router = Router(tags=["grouping rules"])
NAME_LENGTH = 100


@router.get("/rules", auth=READ_SOURCES, response={200: PageShape[RuleShape], REFUSALS: ProblemShape})
def list_rules(request: HttpRequest, paging: Query[Paging]) -> Any:
    """List the grouping rules; `place` is the order in which they are asked."""
    return answer(page(request, GroupingRule.objects.select_related("created_by"), paging), _shown)


@router.get("/rules/{int:rule_id}", auth=READ_SOURCES, response={200: RuleShape, REFUSALS: ProblemShape})
def get_rule(request: HttpRequest, rule_id: int) -> Any:
    """Read one rule."""
    return _shown(_rule(rule_id))


@router.post("/rules/preview", auth=READ_SOURCES, response={200: RulePreviewShape, REFUSALS: ProblemShape})
def preview_rule(request: HttpRequest, body: RuleBody) -> Any:
    """Say what a rule would have done with the alerts of the last 30 days, without keeping it."""
    rule = _filled(GroupingRule(), body)
    rules.check(rule)
    found = grouping.preview(rule, now=timezone.now())
    return RulePreviewShape(**{name: getattr(found, name) for name in RulePreviewShape.model_fields})


@router.post("/rules", auth=SET_UP, response={201: RuleShape, REFUSALS: ProblemShape})
def add_rule(request: HttpRequest, body: RuleBody) -> Any:
    """Keep a rule; it is asked last. In the state `shadow` it decides nothing and shows what it would do."""
    rule = _filled(GroupingRule(created_at=timezone.now()), body)
    rules.save(rule, by=person(request))
    return Status(201, _shown(rule))


@router.put("/rules/{int:rule_id}", auth=SET_UP, response={200: RuleShape, REFUSALS: ProblemShape})
def set_rule(request: HttpRequest, rule_id: int, body: RuleBody, place: int | None = None) -> Any:
    """Make a rule what the body says; with `place` (from 0) change the order too."""
    with transaction.atomic():
        rule = _rule(rule_id, lock=True)
        require_match(request, lambda: _shown(rule))
        rules.save(_filled(rule, body), by=person(request))
        if place is not None:
            rules.move(rule, to=place)
    return _shown(_rule(rule_id))


@router.delete("/rules/{int:rule_id}", auth=SET_UP, response={204: None, REFUSALS: ProblemShape})
def delete_rule(request: HttpRequest, rule_id: int) -> Any:
    """Delete a rule; what it decided stays."""
    _rule(rule_id).delete()
    return Status(204, None)


def _filled(rule: GroupingRule, body: RuleBody) -> GroupingRule:
    rule.name = tidy(body.name, NAME_LENGTH)
    rule.state = body.state
    rule.matchers = matchers_of(body.matchers)
    rule.group_by = list(dict.fromkeys(label.strip() for label in body.group_by if label.strip()))
    rule.window_minutes = body.window_minutes
    return rule


def _rule(rule_id: int, *, lock: bool = False) -> GroupingRule:
    found = GroupingRule.objects.select_related("created_by")
    if lock:
        found = found.select_for_update(of=("self",))
    rule = found.filter(pk=rule_id).first()
    if rule is None:
        raise Http404(f"There is no rule {rule_id}.")
    return rule


def _shown(rule: GroupingRule) -> RuleShape:
    return RuleShape(
        id=rule.pk,
        name=rule.name,
        state=rule.state,  # type: ignore[arg-type]
        matchers=rule.matchers,
        group_by=rule.group_by,
        window_minutes=rule.window_minutes,
        place=rules.place_of(rule),
        created_by=rule.created_by.get_username() if rule.created_by else None,
        created_at=rule.created_at,
    )
