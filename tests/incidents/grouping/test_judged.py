"""What people undid of a rule's decisions is shown with the rule."""

import pytest

from incidents import grouping, lifecycle
from incidents.models import GroupingDecision, GroupingRule
from tests.incidents.alerting import START, alert, at

pytestmark = pytest.mark.django_db


def test_what_people_undid_of_a_rules_decisions_shows_in_its_preview() -> None:
    rule = GroupingRule.objects.create(
        name="all", state="on", matchers={"name": "Disk*"}, group_by=[], created_at=START
    )
    made = [alert(f"Disk{n}", service=f"s{n}", started=n) for n in range(6)]
    grouping.place([one.pk for one in made], now=at(10))
    assert "people undid 0 of the 5 it decided" in grouping.preview(rule, now=at(60)).sentence
    last = GroupingDecision.objects.filter(rule=rule, outcome="joined").first()
    assert last is not None
    lifecycle.undo(last, by="mira", now=at(20))
    shown = grouping.preview(rule, now=at(60))
    assert (shown.decided, shown.undone) == (5, 1)
    assert shown.sentence.endswith("people undid 1 of the 5 it decided: it takes in too much.")
    unsaved = GroupingRule(name="new", state="on", matchers={"name": "Disk*"}, group_by=[], created_at=START)
    assert "undid" not in grouping.preview(unsaved, now=at(60)).sentence
