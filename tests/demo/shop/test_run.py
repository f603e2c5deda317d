"""The shop starts, sells, reports what it does, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import psycopg
import pytest
import redis
from django.conf import settings

from demo.shop import run, storage
from demo.shop.load import Customers
from demo.shop.run import Shop, ShopFailed, ShopSettings
from incidents.telemetry.datamodel import Span
from tests.demo.conftest import Sink, soon

ROOT = Path(__file__).resolve().parents[3]


def tiny(name: str, **changes: object) -> ShopSettings:
    given = {"endpoint": "", "database_url": settings.DATABASE_URL, "redis_url": settings.REDIS_URL, "scale": 0.005}
    return ShopSettings(**{**given, "schema": f"shop_{name}", "key_prefix": f"shop-{name}:", **changes})  # type: ignore[arg-type]


def test_customers_browse_and_buy(shop: Shop) -> None:
    customers = Customers(shop.url, rate=25, think_seconds=0.05)
    stop = threading.Event()
    thread = threading.Thread(target=customers.run, args=(stop,))
    thread.start()
    try:
        soon(lambda: sum(customers.tally.answers.values()) >= 120)
    finally:
        stop.set()
        thread.join()
    answers = customers.tally.answers
    assert set(answers) <= {200, 201, 400, 402, 404}, answers
    assert answers[200] > answers[201] > 0


def test_a_checkout_is_one_trace_through_all_services(browser: httpx.Client, sink: Sink) -> None:
    browser.post("/cart?customer=4001", json={"product": 7, "quantity": 2}).raise_for_status()
    placed = browser.post("/checkout?customer=4001", json={"card": "4111111111111111", "email": "someone@example.com"})
    assert placed.status_code == 201
    order = placed.json()["order"]
    line = soon(lambda: next((log for log in sink.logs if f"order {order} of customer 4001" in log.body), None))

    def whole_trace() -> list[Span]:
        spans = [span for span in sink.spans if span.trace_id == line.trace_id]
        return spans if len({span.service for span in spans}) == 5 and any(not span.parent_id for span in spans) else []

    trace = soon(whole_trace)
    ids = {span.span_id: span for span in trace}
    roots = [span for span in trace if span.parent_id not in ids]
    assert [root.operation for root in roots] == ["POST /checkout"]
    assert roots[0].service == "storefront"
    assert ids[line.span_id].operation == "POST /orders"
    assert {"INSERT orders", "INSERT payments", "HGETALL", "POST /authorize"} <= {span.operation for span in trace}
    assert not any(span.is_error for span in trace)
    assert browser.get("/cart?customer=4001").json() == {}
    assert browser.get("/orders?customer=4001").json()[0]["id"] == order


def test_the_gauges_that_runbooks_name_are_reported(browser: httpx.Client, sink: Sink) -> None:
    browser.get("/product/3").raise_for_status()
    wanted = {
        "process.cpu.utilization",
        "process.memory.usage",
        "db.client.connections.usage",
        "db.client.connections.max",
        "cache.hit.ratio",
    }
    soon(lambda: wanted <= {point.name for point in sink.points})
    soon(lambda: any(point.name.startswith("http.server.request.duration") for point in sink.points))


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/product/1000", None, 404),
        ("GET", "/product/١٢", None, 400),
        ("GET", "/search?q=", None, 400),
        ("GET", "/search?q=%00", None, 400),
        ("GET", "/search?q=%25' OR 1=1 --", None, 200),
        ("GET", "/category/shoes", None, 404),
        ("POST", "/cart?customer=1", {"product": 1, "quantity": -1}, 400),
        ("POST", "/cart?customer=x", {"product": 1, "quantity": 1}, 400),
        ("POST", "/checkout?customer=3999", {"card": "4111111111111111"}, 409),
    ],
)
def test_odd_requests_are_refused_politely(
    browser: httpx.Client, method: str, path: str, body: object, status: int
) -> None:
    assert browser.request(method, path, json=body).status_code == status


def test_faults_are_switched_with_the_token_only(shop: Shop) -> None:
    url = f"{shop.address('payments')}/admin/faults/leaked-connection-pool/on"
    assert httpx.post(url).status_code == 403
    assert httpx.post(url, headers={"x-admin-token": "guess"}).status_code == 403


def test_a_process_that_ends_is_told_and_nothing_is_left_behind() -> None:
    with Shop(tiny("gone")) as shop, httpx.Client(base_url=shop.url, trust_env=False) as client:
        client.post("/cart?customer=5", json={"product": 1, "quantity": 1}).raise_for_status()
        with redis.Redis.from_url(storage.shop_redis_url(settings.REDIS_URL)) as kept:
            assert list(kept.scan_iter(match="shop-gone:*"))
        children = dict(shop._children)
        shop.check()
        children["cart"].kill()
        children["cart"].wait()
        with pytest.raises(ShopFailed, match="cart ended with code -9"):
            shop.check()
    assert {name: child.returncode for name, child in children.items()} == {**dict.fromkeys(children, 0), "cart": -9}
    with psycopg.connect(settings.DATABASE_URL) as connection:
        assert not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'shop_gone'").fetchall()
    with redis.Redis.from_url(storage.shop_redis_url(settings.REDIS_URL)) as kept:
        assert not list(kept.scan_iter(match="shop-gone:*"))


def test_a_killed_parent_takes_its_processes_along(tmp_path: Path) -> None:
    program = f"""
import json, sys, time
from demo.shop.run import Shop, ShopSettings
with Shop(ShopSettings(**json.loads({json.dumps(json.dumps(vars(tiny("orphan"))))}))) as shop:
    print(json.dumps([child.pid for child in shop._children.values()]), flush=True)
    time.sleep(600)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout is not None
    children = json.loads(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    soon(lambda: not any(alive(child) for child in children))
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
        connection.execute("DROP SCHEMA shop_orphan CASCADE")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text() if Path(f"/proc/{pid}/status").exists() else False


def test_a_missing_database_is_told_before_anything_starts() -> None:
    with (
        pytest.raises(ShopFailed, match="tables could not be made"),
        Shop(tiny("nowhere", database_url="postgresql://nobody@127.0.0.1:9/x")),
    ):
        pass


def test_run_shop_stops_when_told() -> None:
    stop, heard = threading.Event(), list[float | None]()

    def listen(seconds_broken: float | None) -> None:
        heard.append(seconds_broken)
        stop.set()

    run.run_shop(tiny("brief"), fault="cpu-hog", quiet_seconds=60, stop=stop, each_second=listen)
    assert heard == [None]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/9"),
        ("rediss://user:secret@cache.example:6380", "rediss://user:secret@cache.example:6380/9"),
        ("unix:///run/valkey.sock?db=0", "unix:///run/valkey.sock?db=9"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock?db=9"),
    ],
)
def test_the_shop_has_a_redis_database_of_its_own(given: str, expected: str) -> None:
    assert storage.shop_redis_url(given) == expected
