"""Medians over the weeks, by group and by hour."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from incidents import mttr
from incidents.models import Incident
from incidents.mttr import Durations, Measure, Verdict
from incidents.trends import population, times
from incidents.trends.offsets import local_seconds
from tests.incidents.trends.cast import CHOICE, NOW, incident


def read() -> population.Population:
    return population.read(Incident.objects.all(), CHOICE, now=NOW)


@pytest.mark.django_db
def test_a_lasting_change_is_marked_where_it_began() -> None:
    for number in range(60):
        slow = number < 30
        incident(days_ago=80 - number, minutes=(60 if slow else 20) * (1 + 0.35 * np.sin(number * 2.3)))
    found = times.course(read(), Measure.RESTORE)
    (mark,) = found.marks
    assert mark.difference.verdict is Verdict.FELL
    assert abs((mark.at - (NOW - timedelta(days=50))).days) <= 2
    assert sum(span.n for span in found.spans) == 60
    assert all(span.start.weekday() == 0 for span in found.spans)


@pytest.mark.django_db
def test_spans_grow_until_they_hold_enough() -> None:
    for number in range(30):
        incident(days_ago=3 * number + 1)
    found = times.course(read(), Measure.RESTORE)
    assert found.weeks == 4
    assert times.course(population.read(Incident.objects.none(), CHOICE, now=NOW), Measure.RESTORE).marks == ()


@pytest.mark.django_db
def test_groups_say_too_few() -> None:
    for number in range(8):
        incident(days_ago=number + 1, cause="deploy" if number < 5 else "")
    incident(services=["cart", "checkout"], severity=1)
    groups = {group.key: group for group in times.by_service(read())}
    assert groups["checkout"].n == 9
    assert groups["checkout"].common_cause == "Deploy, 5 of 9"
    assert groups["checkout"].restore is not None
    assert groups["cart"].restore is None
    assert [group.key for group in times.by_severity(read())] == ["1", "2"]
    assert {group.key for group in times.by_cause(read())} == {"deploy", "unknown"}
    assert [group.label for group in times.by_team(read())] == ["No team"]


@pytest.mark.django_db
def test_hours_are_local_on_both_sides_of_a_change_of_clocks() -> None:
    # 2026-10-25 01:00 UTC: Berlin goes back from UTC+2 to UTC+1.
    for opened in (datetime(2026, 10, 24, 22, 30, tzinfo=UTC), datetime(2026, 10, 25, 22, 30, tzinfo=UTC)):
        incident(started_at=opened, opened_at=opened, resolved_at=opened, acknowledged_at=opened)
    hours = times.by_hour(read(), zone=ZoneInfo("Europe/Berlin"))
    assert hours.counts.sum() == 2
    assert hours.counts[6, 0] == 1  # Sunday 00:30
    assert hours.counts[6, 23] == 1  # Sunday 23:30


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
def test_local_time_is_that_of_the_zone(name: str) -> None:
    zone = ZoneInfo(name)
    moments = np.random.default_rng(1).uniform(1_760_000_000, 1_800_000_000, 500)
    ours = local_seconds(moments, zone=zone)
    for moment, local in zip(moments.tolist(), ours.tolist(), strict=True):
        offset = datetime.fromtimestamp(moment, tz=zone).utcoffset()
        assert offset is not None
        assert local == moment + offset.total_seconds()


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    minutes = np.random.default_rng(3).lognormal(3, 1, 5_000)
    curve = mttr.survival(Durations(minutes, np.ones(5_000, dtype=bool)))
    shown = times.shown_curve(curve)
    assert len(shown.minutes) <= times.CURVE_POINTS
    assert (shown.minutes[0], shown.minutes[-1]) == (curve.minutes[0], curve.minutes[-1])


def test_the_share_after_a_while() -> None:
    curve = mttr.survival(Durations(np.array([10.0, 20.0, 30.0, 40.0]), np.array([True, True, False, True])))
    assert times.share_after(curve, 5)[0] == 1.0
    assert times.share_after(curve, 20)[0] == 0.5
    assert times.share_after(curve, 25)[0] == 0.5
    assert times.share_after(curve, 99)[3] == 0
