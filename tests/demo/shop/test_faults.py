"""Each fault, switched on in the running shop, causes what it is said to cause; nothing is written into the telemetry."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from django.conf import settings

from demo.shop.card_provider import DECLINED_CARD
from demo.shop.faults import FAULTS
from demo.shop.run import Shop
from demo.shop.schema import CATEGORIES
from tests.demo.conftest import Sink, soon

MULTI_PACK = CATEGORIES.index("drinks") + 2 * len(CATEGORIES)


@contextmanager
def broken(shop: Shop, name: str) -> Iterator[None]:
    shop.switch(FAULTS[name], on=True)
    try:
        yield
    finally:
        shop.switch(FAULTS[name], on=False)


def checkout(browser: httpx.Client, *, card: str, customer: int = 77) -> int:
    browser.post(f"/cart?customer={customer}", json={"product": 1, "quantity": 1}).raise_for_status()
    return browser.post(f"/checkout?customer={customer}", json={"card": card, "email": "a@example.com"}).status_code


def values(sink: Sink, service: str, name: str, *, seen: int = 0) -> list[float]:
    return [point.value for point in sink.points[seen:] if point.service == service and point.name == name]


def test_declined_cards_use_up_the_pool(shop: Shop, browser: httpx.Client, sink: Sink) -> None:
    try:
        with broken(shop, "leaked-connection-pool"):
            assert [checkout(browser, card=DECLINED_CARD) for _ in range(5)] == [402] * 5
            assert checkout(browser, card="4111111111111111") == 502
        soon(lambda: any("no database connection within 2 s: 5 of 5 in use" in log.body for log in sink.logs))
        used = json.dumps({"state": "used"}).replace(" ", "")
        soon(
            lambda: any(
                p.value == 5 and p.service == "payments" and p.attributes.replace(" ", "") == used for p in sink.points
            )
        )
    finally:
        shop.restart("payments")  # only that brings the connections back
    assert checkout(browser, card="4111111111111111") == 201
    seen = len(sink.points)
    soon(lambda: set(values(sink, "payments", "db.client.connections.pending_requests", seen=seen)) == {0.0})


def test_history_reads_the_whole_table_without_its_index(shop: Shop, browser: httpx.Client) -> None:
    def table_reads() -> int:
        with psycopg.connect(settings.DATABASE_URL) as connection:
            row = connection.execute(
                "SELECT seq_scan FROM pg_stat_user_tables WHERE schemaname = 'shop_tests' AND relname = 'orders'"
            ).fetchone()
            assert row is not None
            return int(row[0])

    browser.get("/orders?customer=9").raise_for_status()
    before = table_reads()
    with broken(shop, "missing-index"):
        assert len(browser.get("/orders?customer=9").json()) > 0
        soon(lambda: table_reads() > before or browser.get("/orders?customer=9").is_error)


def test_a_slow_card_provider_shows_in_the_call_to_it(shop: Shop, browser: httpx.Client, sink: Sink) -> None:
    with broken(shop, "slow-downstream"):
        assert checkout(browser, card="4111111111111111") in {201, 502}
    calls = soon(
        lambda: [
            span for span in sink.spans if span.operation == "POST /authorize" and span.duration_ns > 1_000_000_000
        ]
    )
    assert calls[0].service == "payments"


def test_the_new_catalog_cannot_read_multi_packs(shop: Shop, browser: httpx.Client, sink: Sink) -> None:
    assert "x" in browser.get(f"/product/{MULTI_PACK}").json()["pack"]
    with broken(shop, "bad-deploy"):
        assert browser.get(f"/product/{MULTI_PACK}").status_code == 502
        assert browser.get("/product/2").status_code == 200
    assert browser.get(f"/product/{MULTI_PACK}").status_code == 200
    line = soon(lambda: next((log for log in sink.logs if "failed: ValueError: could not convert" in log.body), None))
    assert line.service == "catalog"
    assert "demo/shop/catalog.py" in line.attributes
    assert str(settings.BASE_DIR) not in line.attributes
    assert soon(lambda: any(span.is_error and span.operation == "GET /products/{id}" for span in sink.spans))
    assert {("catalog", "2.3.1"), ("catalog", "2.4.0")} <= sink.versions


def test_endless_recommendations_take_the_cpu(shop: Shop, sink: Sink) -> None:
    def shares(*, since: int) -> list[float]:
        return values(sink, "catalog", "process.cpu.utilization", seen=since)

    began = len(sink.points)
    calm = min(soon(lambda: shares(since=began)))
    seen = len(sink.points)
    with broken(
        shop, "cpu-hog"
    ):  # how much it gets depends on what else the machine does; more than twice the calm share, always
        soon(lambda: max(shares(since=seen), default=0) > 2 * calm + 0.1)


def test_a_cache_that_keeps_nothing_never_hits(shop: Shop, browser: httpx.Client, sink: Sink) -> None:
    def look() -> bool:
        browser.get("/category/tea").raise_for_status()
        return 0.0 in values(sink, "catalog", "cache.hit.ratio", seen=seen)

    with broken(shop, "cache-stampede"):
        seen = len(sink.points)
        soon(look)
    browser.get("/category/tea").raise_for_status()
    seen = len(sink.points)
    soon(lambda: browser.get("/category/tea").is_error or 1.0 in values(sink, "catalog", "cache.hit.ratio", seen=seen))


def test_an_unknown_fault_is_refused(shop: Shop) -> None:
    answer = httpx.post(f"{shop.address('cart')}/admin/faults/gremlins/on", headers={"x-admin-token": shop._token})
    assert answer.status_code == 404
    assert "cart has no fault 'gremlins'" in answer.text


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_every_fault_says_what_to_conclude(fault: object) -> None:
    assert getattr(fault, "service", "") in {"storefront", "catalog", "cart", "orders", "payments"}
    assert str(getattr(fault, "conclusion", "")).startswith(("payments", "orders", "the card provider", "catalog"))
