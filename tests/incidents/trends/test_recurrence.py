"""What comes back within thirty days."""

import pytest

from incidents.models import Incident
from incidents.trends import recurrence
from tests.incidents.trends.cast import CHOICE, NOW, incident

pytestmark = pytest.mark.django_db


def found() -> recurrence.Recurrences:
    return recurrence.recurrences(Incident.objects.all(), CHOICE, now=NOW)


def test_the_same_cause_at_the_same_service() -> None:
    ids = [
        incident(days_ago=days, cause="deploy", cause_text=text).pk
        for days, text in ((40, "Pool of 20 used up"), (25, "pool of 30  used up"))
    ]
    incident(days_ago=20, cause="deploy", cause_text="Pool of 20 used up", services=["cart"])
    (again,) = found().top
    assert again.ids == tuple(ids)
    assert (again.times, again.service) == (2, "checkout")
    assert again.hours == pytest.approx(1.0)
    assert (found().returned, found().n) == (1, 3)


def test_without_a_cause_in_words_the_title_counts_numbers_aside() -> None:
    incident(days_ago=20, title="checkout: 12 % of requests fail")
    incident(days_ago=10, title="checkout: 7.5 % of requests fail")
    incident(days_ago=9, title="checkout: 7.5 % of requests fail", cause="capacity")
    assert [again.times for again in found().top] == [2]


def test_after_more_than_thirty_days_it_is_not_the_same() -> None:
    for days in (80, 45, 14):
        incident(days_ago=days)
    assert found().top == ()
    incident(days_ago=40)
    # 45, 40 and 14 days ago: no gap above thirty days.
    assert [again.times for again in found().top] == [3]
