"""PostgreSQL and Valkey as the services use them: a client span per query, and gauges for the pool and the cache."""

import logging
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import redis.asyncio as redis
from opentelemetry.metrics import Observation
from opentelemetry.trace import SpanKind
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.exceptions import HTTPException

from demo.shop.configuration import ServiceConfiguration
from demo.shop.telemetry import observe, tracer

QUERY_TEXT_CHARACTERS = 160
SLOW_SECONDS = 0.25
SHOP_REDIS_DATABASE = 9  # the embedded server's databases 0 to 8 stay free for others

Connection = AsyncConnection[DictRow]

log = logging.getLogger("shop.storage")


class NoConnection(HTTPException):
    """The pool had no connection to give within its time-out; becomes 503 for the caller."""


@contextmanager
def client_span(system: str, summary: str, text: str = "") -> Iterator[None]:
    """Put the block into a client span of a database, with its query shortened."""
    attributes = {"db.system": system, "db.operation.name": summary.split(" ", 1)[0]}
    if text:
        attributes["db.query.text"] = " ".join(text.split())[:QUERY_TEXT_CHARACTERS]
    with tracer.start_as_current_span(summary, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False):
        yield


class Database:
    """A service's pool of PostgreSQL connections in the shop's own schema."""

    def __init__(self, config: ServiceConfiguration, *, pool_size: int, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._pool_size = pool_size
        self._waiting = 0  # the pool's own count keeps those who have given up until a connection comes back
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            config.database_url,
            min_size=pool_size,
            max_size=pool_size,
            timeout=wait_seconds,
            open=False,
            name=config.service,
            connection_class=AsyncConnection[DictRow],
            kwargs={
                "row_factory": dict_row,
                "options": f"-c search_path={config.schema} -c max_parallel_workers_per_gather=0 -c statement_timeout=20000",
                "connect_timeout": 5,
                "application_name": config.service,
            },
        )
        pool_name = {"pool.name": config.service}
        observe(
            "db.client.connections.usage",
            self._usage,
            unit="{connection}",
            description="Connections of the pool by state.",
        )
        observe(
            "db.client.connections.max",
            lambda: [Observation(pool_size, pool_name)],
            unit="{connection}",
            description="Connections that the pool may open.",
        )
        observe(
            "db.client.connections.pending_requests",
            lambda: [Observation(self._waiting, pool_name)],
            unit="{request}",
            description="Requests that wait for a connection.",
        )

    def _usage(self) -> list[Observation]:
        stats = self.pool.get_stats()
        idle = stats.get("pool_available", 0)
        used = stats.get("pool_size", 0) - idle
        return [Observation(used, {"state": "used"}), Observation(idle, {"state": "idle"})]

    async def take(self) -> Connection:
        """Return a connection that the caller must give back. Raises NoConnection."""
        self._waiting += 1
        try:
            return await self.pool.getconn()
        except PoolTimeout as error:
            full = f"{self._pool_size} of {self._pool_size} in use"
            raise NoConnection(503, f"no database connection within {self._wait_seconds:g} s: {full}") from error
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for a block; commits at its end, rolls back when it fails. Raises NoConnection."""
        connection = await self.take()
        try:
            async with connection:
                yield connection
        finally:
            await self.pool.putconn(connection)

    async def fetch(self, summary: str, query: LiteralString, parameters: Sequence[Any] = ()) -> list[DictRow]:
        """Run one query in its own transaction and return its rows; `summary` names the span, such as "SELECT orders"."""
        async with self.connection() as connection:
            return await run(connection, summary, query, parameters)


async def run(
    connection: Connection, summary: str, query: LiteralString, parameters: Sequence[Any] = ()
) -> list[DictRow]:
    """Run one query on a lent connection and return its rows; a slow one is logged, as PostgreSQL itself would."""
    started = time.perf_counter()
    with client_span("postgresql", summary, query):
        cursor = await connection.execute(query, parameters)
        rows = await cursor.fetchall() if cursor.description else []
    seconds = time.perf_counter() - started
    if seconds > SLOW_SECONDS:
        log.warning("slow query: %.0f ms for %s", seconds * 1000, " ".join(query.split())[:QUERY_TEXT_CHARACTERS])
    return rows


def shop_redis_url(url: str) -> str:
    """Return the URL with the shop's own database number instead of the one it names."""
    base, _, options = url.partition("?")
    if base.startswith("unix:"):  # its path is the socket's; the number is an option
        kept = [option for option in options.split("&") if option and not option.startswith("db=")]
        return f"{base}?{'&'.join([*kept, f'db={SHOP_REDIS_DATABASE}'])}"
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{SHOP_REDIS_DATABASE}"))


class Cache:
    """Valkey as a service uses it: keys under the shop's prefix, and a hit ratio since the last export."""

    def __init__(self, config: ServiceConfiguration) -> None:
        self._prefix = f"{config.key_prefix}{config.service}:"
        self.client: redis.Redis = redis.Redis.from_url(
            shop_redis_url(config.redis_url), decode_responses=True, socket_timeout=3, socket_connect_timeout=3
        )
        self._hits = self._misses = 0

    def report_hit_ratio(self) -> None:
        """Report the share of look-ups that found something."""
        observe(
            "cache.hit.ratio",
            self._ratio,
            unit="1",
            description="Share of cache look-ups since the last export that hit.",
        )

    def _ratio(self) -> list[Observation]:
        hits, misses = self._hits, self._misses
        self._hits = self._misses = 0
        return [Observation(hits / (hits + misses))] if hits + misses else []

    def key(self, name: str) -> str:
        """Return the full key."""
        return self._prefix + name

    async def get(self, name: str) -> str | None:
        """Return the value, None when there is none. A cache that does not answer is a miss, and said so in the log."""
        value = None
        try:
            with client_span("redis", "GET"):
                value = await self.client.get(self.key(name))
        except redis.RedisError as error:
            log.warning("cache did not answer GET: %s", type(error).__name__)
        if value is None:
            self._misses += 1
            return None
        self._hits += 1
        return str(value)

    async def put(self, name: str, value: str, *, seconds: int) -> None:
        """Keep the value for that long, or up to twice as long: entries made together must not end together."""
        try:
            with client_span("redis", "SET"):
                await self.client.set(self.key(name), value, ex=random.randint(seconds, 2 * seconds))  # noqa: S311 - no secret
        except redis.RedisError as error:
            log.warning("cache did not answer SET: %s", type(error).__name__)

    async def forget_all(self) -> int:
        """Delete every key of this service and return how many there were."""
        keys = [key async for key in self.client.scan_iter(match=self._prefix + "*", count=500)]
        return int(await self.client.delete(*keys)) if keys else 0

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
