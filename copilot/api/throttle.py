"""How often one token may ask, counted in Valkey by all web processes together."""

import logging
import time
from functools import cache

import redis
from django.conf import settings
from django.http import HttpRequest
from ninja.throttling import BaseThrottle

from copilot.models import ApiToken

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 0.3  # for Valkey to answer; nobody waits longer for being counted
PAUSE_SECONDS = 10.0  # without counting, after it did not
_clock = time.time


class TokenThrottle(BaseThrottle):
    """So many requests in each minute of the clock for each token. While Valkey does not answer nothing is refused, and the log says so."""

    def __init__(self, *, a_minute: int) -> None:
        self.a_minute = a_minute
        self._paused_until = 0.0

    def allow_request(self, request: HttpRequest) -> bool:
        """Count the request and say whether it is one of those allowed."""
        token: ApiToken | None = getattr(request, "auth", None)
        if token is None or time.monotonic() < self._paused_until:
            return True
        key = f"copilot:api:{token.pk}:{int(_clock() // 60)}"
        try:
            with _valkey().pipeline(transaction=False) as pipe:
                pipe.incr(key)
                pipe.expire(key, 120)
                count = pipe.execute()[0]
        except redis.RedisError as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            logger.warning(
                "Requests of API tokens are not counted for %.0f s, and none is refused: Valkey: %s",
                PAUSE_SECONDS,
                error,
            )
            return True
        return int(count) <= self.a_minute

    def wait(self) -> float:
        """Return the seconds until the next minute of the clock."""
        return 60.0 - _clock() % 60.0


@cache
def _valkey() -> redis.Redis:
    """Return this process's client, whose connections are used again."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
    )
