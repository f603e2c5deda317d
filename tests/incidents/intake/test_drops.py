from datetime import timedelta

import pytest
from django.db import OperationalError

from incidents.intake import drops
from incidents.models import DropCount
from tests.incidents.intake.senders import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_counted_before() -> None:
    drops.flush()
    DropCount.objects.all().delete()


def counted() -> dict[tuple[str, str, str], int]:
    return {(row.what, row.source, row.reason): row.count for row in DropCount.objects.all()}


def drop(reason: str, *, seconds: float = 0, source: str = "drops test") -> None:
    drops.count(what="alerts", source=source, reason=reason, n=2, now=NOW + timedelta(days=1, seconds=seconds))


def test_the_first_is_written_at_once_and_what_repeats_a_second_later() -> None:
    for number in range(100):
        drop("first", seconds=number / 200)
    drop("second")
    assert counted()["alerts", "drops test", "second"] == 2
    drop("first", seconds=2)
    assert counted() == {("alerts", "drops test", "first"): 202, ("alerts", "drops test", "second"): 2}


def test_nothing_is_lost_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("the server is away")

    with monkeypatch.context() as patched:
        patched.setattr("incidents.intake.drops.connection.cursor", away)
        drop("while away")
    drop("while away", seconds=5)
    assert counted() == {}, "nobody waits for a second try so soon"
    drop("while away", seconds=11)
    assert counted() == {("alerts", "drops test", "while away"): 6}


def test_minutes_are_apart() -> None:
    drop("by minute")
    drop("by minute", seconds=61)
    assert sorted(DropCount.objects.values_list("count", flat=True)) == [2, 2]
