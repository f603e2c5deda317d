"""A model that can call tools investigates: its steps are seen as they run, side by side; somebody steers it, reads what it found, and stops it."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone
from playwright.sync_api import BrowserContext, Locator, Page, expect
from pytest_django.fixtures import Settings

from copilot.answers import brief as briefs
from copilot.answers import questions
from copilot.evidence import bundle as bundles
from copilot.evidence.bundle import Kind
from copilot.models import LanguageModel, Message
from incidents.models import Incident, Investigation
from incidents.telemetry.store import HotStore
from tests.copilot.answers.cast import BUNDLE, END, START
from tests.copilot.answers.investigation import telemetry
from tests.copilot.answers.investigation.test_loop import LINES, POOL, claims
from tests.copilot.llm.fake_provider import Script, calls_tools, provider, speaks
from tests.journeys.conftest import Site, faults_of

pytestmark = pytest.mark.journey

CPU = ("query_metrics", {"service": "database", "metric": "cpu_usage_pct"})
FOUND = "The highest db_pool_in_use of payments was 10 connections."


def opened() -> Incident:
    held = HotStore(settings.DATABASE_URL, schema=telemetry.SCHEMA)
    held.drop_schema()
    held.prepare()
    held.write(telemetry.batch())
    # Its change has no moment that a chart could show.
    bundle = replace(BUNDLE, items=tuple(item for item in BUNDLE.items if item.kind is not Kind.CHANGE))
    incident = Incident.objects.create(
        title="checkout is slow", severity=2, source=telemetry.SCHEMA, services=list(BUNDLE.services),
        started_at=START, opened_at=START, last_anomaly_at=END,
    )  # fmt: skip
    Investigation.objects.create(
        incident=incident, state="ready", requested_at=START, finished_at=END, evidence=bundles.to_json(bundle),
        brief=briefs.to_json(briefs.write(bundle, title="checkout is slow")),
    )  # fmt: skip
    return incident


def after(event: threading.Event, script: Script) -> Script:
    """Say nothing until the event is set."""

    def run(peer: socket.socket) -> None:
        event.wait(30)
        script(peer)

    return run


def write(message: int) -> bool:
    try:
        return questions.answer(
            message, chat_model=questions.model_for(message, clock=timezone.now), now=timezone.now()
        )
    finally:
        connections["default"].close()


def waiting() -> int:
    return int(Message.objects.filter(from_copilot=True, state="waiting").get().pk)


def test_steps_are_seen_steered_and_stopped(
    site: Site, page: Page, browser: Callable[..., BrowserContext], settings: Settings
) -> None:
    steered, never = threading.Event(), threading.Event()
    scripts = (
        calls_tools(POOL, LINES, said="Is the pool of payments full, and since when?"),
        after(steered, calls_tools(CPU)),
        speaks(claims((FOUND, "E13"))),
        calls_tools(CPU),
        after(never, speaks(claims())),
    )
    incident = site.do(opened)
    with provider(*scripts, lists_models=True) as fake, ThreadPoolExecutor(1) as worker:
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL = fake.url, "fake"
        name = f"fake at {fake.url[7:-3]}"
        site.do(LanguageModel.objects.create, name=name, tool_calling=True, probed_at=timezone.now())
        page.goto(f"{site.url}/incidents/{incident.pk}/")
        answer = ask(page, "How full is the pool?")
        running = worker.submit(write, site.do(waiting))
        seen_and_steered(page, answer)
        second = browser(width=390, theme="dark").new_page()
        site.sign_in(second, site.do(lambda: incident.messages.get(author__isnull=False).author))
        second.goto(f"{site.url}/incidents/{incident.pk}/")
        expect(second.locator(".looked [data-state=done]")).to_have_count(2)
        expect(second.locator(".looked")).to_contain_text("mira steers: Look at the database, too.")
        assert not faults_of(second)
        steered.set()
        assert running.result(timeout=30)
        assert "The engineer says: Look at the database, too." in str(fake.requests[2]["messages"])
        read(page, answer)

        answer = ask(page, "And the database?")
        running = worker.submit(write, site.do(waiting))
        expect(answer.locator("[data-state=done]")).to_have_count(1)
        answer.get_by_role("button", name="Stop").click()
        expect(answer).to_contain_text("The answer was cut short.")
        expect(answer).to_contain_text("Stopped by mira.")
        expect(answer.locator(".claim").last).to_contain_text("database cpu_usage_pct")
        assert running.result(timeout=30)
        never.set()
        assert not faults_of(page)


def ask(page: Page, text: str) -> Locator:
    """Ask something and return where the answer comes."""
    there = page.locator(".message[data-from=copilot]")
    before = there.count()
    field = page.get_by_label("Ask about this incident")
    field.fill(text)
    field.press("Enter")
    expect(there).to_have_count(before + 1)
    return there.nth(before)


def seen_and_steered(page: Page, answer: Locator) -> None:
    """Two steps that ran side by side are there before the answer is; a word goes to the next turn."""
    looked = answer.locator(".looked")
    expect(looked.locator("[data-state=done]")).to_have_count(2)
    expect(looked.locator("summary")).to_contain_text("Looked at 2 things in 1 turn")
    expect(looked.get_by_text("At the same time:")).to_be_visible()
    expect(looked).to_contain_text("Is the pool of payments full, and since when?")
    expect(looked).to_contain_text("Metric: payments db_pool_in_use")
    answer.get_by_label("Say what to look at next").fill("Look at the database, too.")
    answer.get_by_role("button", name="Steer").click()
    expect(looked).to_contain_text("mira steers: Look at the database, too.")
    assert not faults_of(page)


def read(page: Page, answer: Locator) -> None:
    """The answer is there, its steps folded above it; what was looked up opens beside the text."""
    expect(answer).not_to_have_attribute("aria-busy", "true")
    expect(answer.locator(".looked summary")).to_contain_text("Looked at 3 things in 2 turns")
    answer.locator(".claim", has_text=FOUND).locator(".eid").click()
    expect(page.locator("#beside")).to_contain_text("payments db_pool_in_use from 02:28:50")
    expect(page.locator("#beside canvas").first).to_be_visible()
    page.keyboard.press("Escape")
