"""One-time links and the limit on wrong passwords."""

from datetime import UTC, datetime, timedelta

import pytest

from copilot import signin
from copilot.models import SignInFailure, SignInLink
from tests import cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def token_of(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def test_a_link_works_once_and_for_a_day() -> None:
    user = cast.mira()
    token = token_of(signin.create_link(user, now=NOW))
    assert signin.is_valid(token, now=NOW + timedelta(hours=23))
    assert not signin.is_valid(token, now=NOW + timedelta(hours=24))
    assert signin.redeem(token, now=NOW + timedelta(hours=23)) == user
    assert not signin.is_valid(token, now=NOW + timedelta(hours=23))
    with pytest.raises(signin.LinkNotValid, match="used already"):
        signin.redeem(token, now=NOW + timedelta(hours=23))


def test_only_a_hash_of_the_link_is_kept() -> None:
    token = token_of(signin.create_link(cast.mira(), now=NOW))
    assert token not in str(SignInLink.objects.values())


def test_a_link_of_somebody_who_left_does_not_work() -> None:
    user = cast.mira()
    token = token_of(signin.create_link(user, now=NOW))
    user.is_active = False
    user.save()
    with pytest.raises(signin.LinkNotValid):
        signin.redeem(token, now=NOW)


def test_ten_wrong_passwords_in_a_quarter_of_an_hour() -> None:
    for second in range(10):
        assert signin.tries_left(account="mira", address="10.0.0.1", now=NOW) == 10 - second
        signin.record_failure(account="Mira ", address="10.0.0.1", now=NOW)
    assert signin.tries_left(account="mira", address="10.0.0.1", now=NOW + timedelta(minutes=14)) == 0
    # Somebody else, or the same person from elsewhere, is not locked out.
    assert signin.tries_left(account="jonas", address="10.0.0.1", now=NOW) == 10
    assert signin.tries_left(account="mira", address="10.0.0.2", now=NOW) == 10
    later = NOW + timedelta(minutes=16)
    assert signin.tries_left(account="mira", address="10.0.0.1", now=later) == 10
    signin.record_failure(account="jonas", address="10.0.0.1", now=later)
    assert SignInFailure.objects.count() == 1
