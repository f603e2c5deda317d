"""What we add to a model's own time: for one answer, and to the first token of twenty chats at once, on a provider of 50 tokens a second."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from copilot import events, tasks
from copilot.answers import questions
from copilot.llm import chat_model
from copilot.management.evaluations import answers
from copilot.models import Message
from incidents.models import Investigation
from tests import cast
from tests.copilot.llm.fake_provider import HEAD, chunk, provider

A_SECOND = 50  # tokens
FIRST_AFTER = 0.2  # seconds that the provider thinks
CHATS, ALONE = 20, 5
OVERHEAD_SECONDS = 0.3
TEXT = '{"claims":[{"text":"The evidence names payments.","cites":["E1"]},{"text":"Checkout depends on it.","cites":["E2"]}]}'
TOKENS = [TEXT[at : at + 4] for at in range(0, len(TEXT), 4)]


@dataclass
class Watch:
    """When the provider sent its first token and its last, and when a page was told the first, in seconds of the monotonic clock."""

    provider_seconds: list[float] = field(default_factory=list)
    first_sent: list[float] = field(default_factory=list)
    told: dict[int, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, peer: socket.socket) -> None:
        """Answer as a hosted model does."""
        began = time.monotonic()
        time.sleep(FIRST_AFTER)
        peer.sendall(HEAD)
        with self.lock:
            self.first_sent.append(time.monotonic() - began)
        for token in TOKENS:
            peer.sendall(chunk(token))
            time.sleep(1 / A_SECOND)
        usage = {"prompt_tokens": 900, "completion_tokens": len(TOKENS), "total_tokens": 900 + len(TOKENS)}
        peer.sendall(chunk("", finish="stop") + chunk(usage=usage) + b"data: [DONE]\n\n")
        with self.lock:
            self.provider_seconds.append(time.monotonic() - began)

    def follow(self, publish: Callable[..., Any]) -> Callable[..., Any]:
        """Return `publish` that notes when the model's first words reach the pages of an answer."""

        def noted(*, incident_id: int, kind: str, payload: dict[str, Any]) -> Any:
            done = publish(incident_id=incident_id, kind=kind, payload=payload)
            if kind == "answer.sentence":
                with self.lock:
                    self.told.setdefault(payload["message"], time.monotonic())
            return done

        return noted


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    found = Watch()
    monkeypatch.setattr(events, "publish", found.follow(events.publish))
    return found


def asked(count: int, user: User) -> list[int]:
    """Questions on as many incidents with the evidence of a recording; return their answers."""
    evidence = answers.load(answers.PINNED)[3].evidence
    waiting = []
    for _ in range(count):
        incident = cast.incident()
        Investigation.objects.create(
            incident=incident, state=Investigation.State.READY, requested_at=incident.opened_at, evidence=dict(evidence)
        )
        question = questions.ask(incident.pk, text="Is the database full?", user=user, now=timezone.now())
        waiting.append(question.answer.pk)
    return waiting


def answer(message_id: int) -> tuple[float, float]:
    """Do the worker's task; return when it began and how many seconds it took."""
    began = time.monotonic()
    tasks.answer(message_id)
    took = time.monotonic() - began
    connection.close()
    return began, took


def after(seconds: float, message_id: int) -> tuple[float, float]:
    """Do the worker's task after some seconds."""
    time.sleep(seconds)
    return answer(message_id)


def beyond(watch: Watch, arm: dict[int, tuple[float, float]]) -> str:
    """Say how long after the provider's first token pages had the first words."""
    late = [watch.told[pk] - began - FIRST_AFTER for pk, (began, _) in arm.items()]
    return f"{np.median(late) * 1000:.0f} ms, p95 {np.percentile(late, 95) * 1000:.0f} ms"


@pytest.mark.django_db(transaction=True)
def test_what_we_add(watch: Watch, settings: Settings) -> None:
    mira = cast.mira()
    with provider(watch.serve) as fake:
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL = fake.url, "stub"
        chat_model.load()
        answer(asked(1, mira)[0])  # imports and first connections
        watch.provider_seconds.clear()
        watch.first_sent.clear()
        alone = [answer(pk)[1] for pk in asked(ALONE, mira)]
        added = [whole - model for whole, model in zip(alone, watch.provider_seconds, strict=True)]
        with ThreadPoolExecutor(CHATS) as pool:
            list(pool.map(answer, asked(CHATS, mira)))  # a worker's connections are open already
            waiting = asked(CHATS, mira)
            watch.told.clear()
            watch.first_sent.clear()
            together = dict(zip(waiting, pool.map(answer, waiting), strict=True))
            spread = asked(CHATS, mira)
            begun_apart = [pool.submit(after, number / CHATS, pk) for number, pk in enumerate(spread)]
            apart = dict(zip(spread, (each.result() for each in begun_apart), strict=True))
    assert Message.objects.filter(state="done", from_copilot=True).count() == 1 + ALONE + 3 * CHATS
    at_once, within_a_second = (beyond(watch, arm) for arm in (together, apart))
    print(
        f"\none answer: we add {np.median(added) * 1000:.0f} ms, at most {max(added) * 1000:.0f} ms (asked for: 300 ms)"
        f"\n{CHATS} chats on a provider of {A_SECOND} tokens/s, first words after its first token (asked for: 300 ms):"
        f" begun within a second {within_a_second}; all in one instant {at_once}"
    )
    assert max(added) <= OVERHEAD_SECONDS
