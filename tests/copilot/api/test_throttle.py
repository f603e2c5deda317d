"""How often a token may ask, when other processes count too and when nothing can be counted."""

import logging

import pytest
import redis
from django.test import RequestFactory

from copilot.api import throttle
from copilot.models import ApiToken


def test_processes_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_clock", lambda: 1_900_000_000.0)
    request = RequestFactory().get("/")
    request.auth = ApiToken(pk=10**9)  # type: ignore[attr-defined]
    one, other = (throttle.TokenThrottle(a_minute=3) for _ in range(2))
    assert [who.allow_request(request) for who in (one, other, one, other)] == [True, True, True, False]
    monkeypatch.setattr(throttle, "_clock", lambda: 1_900_000_060.0)
    assert one.allow_request(request)


def test_without_valkey_nothing_is_refused_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = redis.Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    monkeypatch.setattr(throttle, "_valkey", lambda: nobody)
    request = RequestFactory().get("/")
    request.auth = ApiToken(pk=10**9 + 1)  # type: ignore[attr-defined]
    one = throttle.TokenThrottle(a_minute=1)
    with caplog.at_level(logging.WARNING, logger="copilot.api.throttle"):
        assert all(one.allow_request(request) for _ in range(5))
    assert len(caplog.records) == 1
