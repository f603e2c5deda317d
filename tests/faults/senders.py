"""What sends alerts through faults as a careful sender does: again and again, with the same delivery id, until it is acknowledged."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import httpx

from tests.incidents.intake import senders

MAKE_SOURCE = """
import django; django.setup()
import json, sys
from django.utils import timezone
from incidents.intake import tokens
from incidents.models import AlertSource
made = AlertSource.objects.create(created_at=timezone.now(), **json.loads(sys.argv[1]))
if len(sys.argv) > 2:
    made.signing_secrets = [tokens.seal(sys.argv[2])]; made.save()
print(tokens.issue(made, now=timezone.now()))
"""
MOST_SECONDS = 60.0  # until a delivery is acknowledged, whatever happens meanwhile


def body(*alerts: dict[str, Any]) -> bytes:
    return json.dumps(senders.alertmanager(*alerts)).encode()


def now_firing(fingerprint: str, **labels: Any) -> dict[str, Any]:
    return senders.alert(fingerprint, at=datetime.now(UTC), **labels)


def deliver(client: httpx.Client, address: str, content: bytes, *, id: str) -> list[int]:  # noqa: A002 - as the header is called
    """Send a delivery until it is acknowledged; return the statuses of all tries, 0 where no answer came."""
    until = time.monotonic() + MOST_SECONDS
    tries: list[int] = []
    while time.monotonic() < until:
        try:
            answer = client.post(address, content=content, headers={"Idempotency-Key": id})
            tries.append(answer.status_code)
        except httpx.HTTPError:
            tries.append(0)
        if tries[-1] in (200, 202):
            return tries
        time.sleep(0.2)
    raise AssertionError(f"{id} was not acknowledged within {MOST_SECONDS:g} s: {Counter(tries)}")


@dataclass
class Crowd:
    """Several senders; each sends alerts of its own, every alert in two deliveries, as long as the `with` block lasts."""

    address: str
    prefix: str
    senders: int = 4
    pause: float = 0.02  # seconds after each delivery
    acknowledged: Counter[str] = field(default_factory=Counter)  # fingerprint → deliveries
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __enter__(self) -> "Crowd":
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(self.senders)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            for count in range(100_000):
                if self._stop.is_set():
                    return
                name = f"{self.prefix}-{number}-{count}"
                for time_ in range(2):
                    try:
                        tries = deliver(client, self.address, body(now_firing(name)), id=f"{name}-{time_}")
                    except AssertionError as error:
                        self.faults.append(str(error))
                        return
                    self.acknowledged[name] += 1
                    self.statuses.update(tries)
                    time.sleep(self.pause)

    def wait_for(self, more: int, *, seconds: float = 60) -> None:
        """Wait until so many further deliveries are acknowledged."""
        before = self.acknowledged.total()
        wait(
            lambda: self.acknowledged.total() >= before + more or bool(self.faults),
            seconds=seconds,
            what=lambda: str(self.statuses),
        )
        assert not self.faults, self.faults


def wait(until: Callable[[], object], *, seconds: float = 90, what: Callable[[], str] = str) -> None:
    """Ask until it is so."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what()}"
        time.sleep(0.1)
