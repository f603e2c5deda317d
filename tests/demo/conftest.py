"""A small real shop for the tests of the demo: real processes, tables and keys, and a receiver that keeps what they report."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import pytest
from django.conf import settings

from demo.receiver import Receiver
from demo.shop.run import Shop, ShopSettings
from incidents.telemetry.datamodel import LogRecord, MetricPoint, Span
from incidents.telemetry.otlp import Signal, decode

Found = TypeVar("Found")
SOON_SECONDS = 30.0


@dataclass
class Sink:
    """What the shop has reported so far, decoded as intake does."""

    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    points: list[MetricPoint] = field(default_factory=list)
    versions: set[tuple[str, str]] = field(default_factory=set)

    def write(self, signal: Signal, line: bytes) -> None:
        decoded = decode(signal, line, encoding="json", mask=str)
        self.spans.extend(decoded.batch.spans)
        self.logs.extend(decoded.batch.logs)
        self.points.extend(decoded.batch.points)
        self.versions.update((tags.service, tags.version) for tags in decoded.tags.values())


def soon(look: Callable[[], Found]) -> Found:
    """What `look` returns as soon as it is true; the shop reports every few seconds."""
    until = time.monotonic() + SOON_SECONDS
    while not (found := look()) and time.monotonic() < until:
        time.sleep(0.2)
    assert found
    return found


@pytest.fixture(scope="session")
def sink() -> Sink:
    return Sink()


@pytest.fixture(scope="session")
def shop(sink: Sink) -> Iterator[Shop]:
    """A running shop with a hundredth of the rows and nobody in it."""
    with Receiver(sink.write) as receiver:
        receiver.listening.set()
        small = ShopSettings(
            endpoint=receiver.url,
            database_url=settings.DATABASE_URL,
            redis_url=settings.REDIS_URL,
            scale=0.01,
            metric_seconds=1,
            schema="shop_tests",
            key_prefix="shop-tests:",
        )
        with Shop(small) as running:
            yield running


@pytest.fixture(scope="session")
def browser(shop: Shop) -> Iterator[httpx.Client]:
    """A customer's browser at the storefront."""
    with httpx.Client(base_url=shop.url, timeout=20, trust_env=False) as client:
        yield client
