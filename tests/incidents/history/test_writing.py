"""The made-up year: plausible, marked, and gone again when removed."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from incidents.history import writing
from incidents.history.invention import PROCESS_CHANGE, stories
from incidents.models import Alert, AlertDay, AlertEvent, AlertSource, GroupingDecision, Incident, IncidentRole, Team
from incidents.trends import noise

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def test_the_same_seed_tells_the_same_year() -> None:
    told = stories(days=90, incidents=60, seed=3, now=NOW)
    assert told == stories(days=90, incidents=60, seed=3, now=NOW)
    assert told != stories(days=90, incidents=60, seed=4, now=NOW)
    assert all(story.started_at <= story.opened_at <= NOW for story in told)


def test_it_holds_what_a_year_holds() -> None:
    told = stories(days=365, incidents=400, seed=1, now=NOW)
    assert any(story.resolved_at is None for story in told)
    assert any(story.reopened_at for story in told)
    assert any(story.merged_into is not None for story in told)
    assert any(story.trouble.cause == Incident.Cause.FALSE_ALARM for story in told)
    change = NOW - timedelta(days=365 * (1 - PROCESS_CHANGE))
    waits = [
        [
            (story.acknowledged_at - story.opened_at).total_seconds()
            for story in told
            if story.acknowledged_at and (story.opened_at < change) == early
        ]
        for early in (True, False)
    ]
    medians = [sorted(wait)[len(wait) // 2] for wait in waits]
    assert medians[1] < medians[0] * 0.6


def test_everything_is_marked_and_can_be_removed() -> None:
    mine = Incident.objects.create(title="real", severity=2, started_at=NOW, opened_at=NOW, last_anomaly_at=NOW)
    written = writing.write(days=60, incidents=50, seed=1, now=NOW)
    assert written.incidents == 50
    assert Incident.objects.filter(is_demo=True).count() == 50
    assert Alert.objects.filter(is_demo=False).count() == 0
    assert all(name.startswith("demo-") for row in Incident.objects.filter(is_demo=True) for name in row.services)
    assert not User.objects.filter(username__startswith="demo-", is_active=True).exists()
    assert not any(user.has_usable_password() for user in User.objects.filter(username__startswith="demo-"))
    noise.add_up(now=NOW, since=(NOW - timedelta(days=60)).date())
    assert AlertDay.objects.filter(is_demo=True).exists()
    assert not AlertDay.objects.filter(is_demo=False).exists()

    assert writing.remove() == 50
    assert list(Incident.objects.all()) == [mine]
    for model in (Alert, AlertEvent, AlertDay, AlertSource, GroupingDecision, IncidentRole, Team, User):
        assert not model.objects.exists(), model.__name__


def test_a_second_history_or_nonsense_is_refused() -> None:
    writing.write(days=30, incidents=10, seed=1, now=NOW)
    with pytest.raises(writing.HistoryRefused, match="seed_history --remove"):
        writing.write(days=30, incidents=10, seed=1, now=NOW)
    for days, incidents in ((3, 10), (30, 0), (30, 10_000), (5_000, 10)):
        with pytest.raises(writing.HistoryRefused, match="give 7 to"):
            writing.write(days=days, incidents=incidents, seed=1, now=NOW)
