"""The schedule is sent by one process at a time, and another takes over when that one ends."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from copilot.celery import app
from copilot.schedule import STANDBY_SECONDS, LockedScheduler


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[LockedScheduler]]:
    sent: list[str] = []
    monkeypatch.setattr(LockedScheduler, "apply_async", lambda *_, **__: sent.append("sent"))
    found = [LockedScheduler(app, schedule_filename=str(tmp_path / f"schedule-{number}")) for number in range(2)]
    yield found
    for scheduler in found:
        scheduler.close()


def is_on(scheduler: LockedScheduler) -> bool:
    """Whether it looks at what is due: it then never asks for just the time that a waiting one does."""
    return scheduler.tick() != STANDBY_SECONDS


def test_one_sends_and_the_other_waits_until_it_is_gone(two: list[LockedScheduler]) -> None:
    first, second = two
    assert is_on(first)
    assert not is_on(second)
    assert is_on(first)
    first.close()
    until = time.monotonic() + 10
    while not is_on(second):
        assert time.monotonic() < until
    assert not is_on(first)


def test_a_lock_that_the_database_took_back_is_lost_and_asked_for_again(two: list[LockedScheduler]) -> None:
    first, _ = two
    assert is_on(first)
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert not is_on(first)
    assert is_on(first)


def test_without_the_database_nothing_is_sent(two: list[LockedScheduler], settings: pytest.FixtureRequest) -> None:
    settings.DATABASE_URL = "postgresql://nobody@127.0.0.1:1/none"  # type: ignore[attr-defined]
    assert not is_on(two[0])
