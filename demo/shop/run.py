"""Starts the whole shop as child processes, breaks it on request, and cleans up after it."""

import dataclasses
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import httpx
import psycopg
import redis

from demo.shop import card_provider, cart, catalog, orders, payments, schema, storefront
from demo.shop.configuration import ServiceConfiguration
from demo.shop.faults import FAULTS, Fault
from demo.shop.load import Customers
from demo.shop.storage import shop_redis_url

VERSIONS = {
    "card-provider": card_provider.VERSION,
    "payments": payments.VERSION,
    "catalog": catalog.VERSION,
    "cart": cart.VERSION,
    "orders": orders.VERSION,
    "storefront": storefront.VERSION,
}
START_SECONDS = 60.0
STOP_SECONDS = 12.0
PROJECT = Path(__file__).resolve().parent.parent.parent


class ShopFailed(Exception):
    """The shop could not start, or one of its processes ended; the message holds the end of what it wrote."""


@dataclasses.dataclass(frozen=True)
class ShopSettings:
    """Where the shop runs and how large it is.

    `endpoint` is the base URL of an OTLP/HTTP receiver ("" for none), `rate` the storefront's requests a second, `scale`
    the share of the full tables. Schema and key prefix must be the shop's own: both are emptied at the end.
    """

    endpoint: str
    database_url: str
    redis_url: str
    rate: float = 5.5
    scale: float = 1.0
    metric_seconds: float = 10.0
    schema: str = "shop"
    key_prefix: str = "shop:"
    seed: int = 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Shop:
    """The running shop, as a context manager: tables and processes exist inside the block only."""

    def __init__(self, settings: ShopSettings) -> None:
        self.settings = settings
        self._token = secrets.token_urlsafe(24)
        self._ports = {name: _free_port() for name in VERSIONS}
        self._children: dict[str, subprocess.Popen[str]] = {}
        self._logs = tempfile.TemporaryDirectory(prefix="shop-")

    @property
    def url(self) -> str:
        """The storefront's address."""
        return self.address("storefront")

    def address(self, name: str) -> str:
        """Return the base URL of one process."""
        return f"http://127.0.0.1:{self._ports[name]}"

    def __enter__(self) -> "Shop":
        try:
            schema.prepare(self.settings.database_url, schema=self.settings.schema, scale=self.settings.scale)
            for name, version in VERSIONS.items():
                self._start(name, version)
            for name in VERSIONS:
                self._wait_for(name)
        except psycopg.Error as error:
            self.close()
            raise ShopFailed(f"The shop's tables could not be made in the database: {str(error).strip()}") from error
        except ShopFailed:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trail: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop every process, then drop the tables and keys."""
        for name in reversed(list(self._children)):
            self._end(name)
        for name in list(self._children):
            self._reap(name)
        try:
            schema.drop(self.settings.database_url, schema=self.settings.schema)
            with redis.Redis.from_url(shop_redis_url(self.settings.redis_url), socket_timeout=5) as client:
                for key in client.scan_iter(match=self.settings.key_prefix + "*", count=500):
                    client.delete(key)
        except (psycopg.OperationalError, redis.ConnectionError) as error:
            # The servers may stop before the shop does; then nothing is left to clean.
            sys.stderr.write(f"The shop's rows and keys were not removed: {error}\n")
        self._logs.cleanup()

    def restart(self, name: str, *, version: str | None = None) -> None:
        """Stop a process and start it again, as another version when one is given."""
        self._end(name)
        self._reap(name)
        self._start(name, version or VERSIONS[name])
        self._wait_for(name)

    def switch(self, fault: Fault, *, on: bool) -> None:
        """Switch a fault on or off; a deploy restarts its service in the other version."""
        if fault.version:
            self.restart(fault.process, version=fault.version if on else None)
            return
        answer = httpx.post(
            f"{self.address(fault.process)}/admin/faults/{fault.name}/{'on' if on else 'off'}",
            headers={"x-admin-token": self._token},
            timeout=30,
            trust_env=False,
        )
        if answer.status_code != httpx.codes.OK:
            raise ShopFailed(f"{fault.process} did not switch {fault.name}: {answer.status_code} {answer.text[:200]}")

    def check(self) -> None:
        """Raise ShopFailed when a process has ended by itself."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise ShopFailed(
                    f"{name} ended with code {child.returncode}. Its last lines:\n{self._last_lines(name)}"
                )

    def _start(self, name: str, version: str) -> None:
        config = ServiceConfiguration(
            service=name,
            version=version,
            port=self._ports[name],
            endpoint="" if name == "card-provider" else self.settings.endpoint,
            database_url=self.settings.database_url,
            redis_url=self.settings.redis_url,
            admin_token=self._token,
            schema=self.settings.schema,
            key_prefix=self.settings.key_prefix,
            metric_seconds=self.settings.metric_seconds,
            peers={peer: self.address(peer) for peer in VERSIONS},
        )
        with self._log_file(name).open("a") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "demo.shop.process"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                text=True,
                cwd=PROJECT,
                start_new_session=True,  # Ctrl-C reaches the parent alone, which then stops them in order
            )
        self._children[name] = child
        if child.stdin is not None:
            child.stdin.write(config.to_line())
            child.stdin.flush()

    def _end(self, name: str) -> None:
        stdin = self._children[name].stdin
        if stdin is not None and not stdin.closed:
            stdin.close()

    def _reap(self, name: str) -> None:
        child = self._children.pop(name)
        try:
            child.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _wait_for(self, name: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            try:
                if httpx.get(f"{self.address(name)}/health", timeout=2, trust_env=False).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise ShopFailed(f"{name} did not answer within {START_SECONDS:g} s. Its last lines:\n{self._last_lines(name)}")

    def _log_file(self, name: str) -> Path:
        return Path(self._logs.name) / f"{name}.log"

    def _last_lines(self, name: str) -> str:
        return "\n".join(self._log_file(name).read_text(errors="replace").splitlines()[-15:])


def run_shop(
    settings: ShopSettings,
    *,
    fault: str | None,
    quiet_seconds: float,
    stop: threading.Event,
    each_second: Callable[[float | None], None] = lambda _: None,
) -> None:
    """Run the shop with customers until `stop` is set, and break it with `fault` after the quiet period; blocks.

    `each_second` is called about once a second, first when the quiet period begins: with the seconds since the fault was switched on,
    None before. Raises KeyError for an unknown fault and ShopFailed when a process cannot start or ends.
    """
    chosen = FAULTS[fault] if fault else None
    broken_at: float | None = None
    with Shop(settings) as shop, serving_customers(shop):
        breaks_at = time.monotonic() + quiet_seconds
        each_second(None)
        while not stop.wait(1):
            shop.check()
            if chosen and broken_at is None and time.monotonic() >= breaks_at:
                broken_at = time.monotonic()
                shop.switch(chosen, on=True)
            each_second(None if broken_at is None else time.monotonic() - broken_at)


@contextmanager
def serving_customers(shop: Shop) -> Iterator[Customers]:
    """Let customers into the shop for the block, once its cache is warm."""
    customers = Customers(shop.url, rate=shop.settings.rate, seed=shop.settings.seed)
    customers.look_at_everything()
    leave = threading.Event()
    thread = threading.Thread(target=customers.run, args=(leave,), daemon=True)
    thread.start()
    try:
        yield customers
    finally:
        leave.set()
        thread.join(timeout=20)
