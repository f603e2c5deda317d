"""The incidents behind a number."""

from zoneinfo import ZoneInfo

import pytest

from incidents.models import Incident
from incidents.mttr import Measure
from incidents.trends import behind, population
from incidents.trends.behind import Narrowing
from tests.incidents.trends.cast import CHOICE, NOW, incident

pytestmark = pytest.mark.django_db


def found(narrowing: Narrowing, *, limit: int = 200) -> list[int]:
    visible = Incident.objects.all()
    rows, n = behind.behind(
        visible, population.read(visible, CHOICE, now=NOW), narrowing, zone=ZoneInfo("UTC"), limit=limit
    )
    assert len(rows) == min(n, limit)
    return [row.pk for row in rows]


def test_narrowing() -> None:
    short, long = incident(minutes=20), incident(days_ago=11, minutes=100)
    going_on = incident(days_ago=1, minutes=None)
    assert found(Narrowing()) == [going_on.pk, long.pk, short.pk]
    assert found(Narrowing(over=15, upto=30)) == [short.pk]
    assert found(Narrowing(over=0, upto=20)) == [short.pk]
    assert found(Narrowing(going_on=True)) == [going_on.pk]
    assert found(Narrowing(ids=(long.pk, 10**12))) == [long.pk]
    assert set(found(Narrowing(measure=Measure.DETECT, over=1, upto=2))) == {short.pk, long.pk, going_on.pk}
    weekday = short.opened_at.weekday()
    assert short.pk in found(Narrowing(weekday=weekday, hour=short.opened_at.hour))
    assert found(Narrowing(), limit=1) == [going_on.pk]
