"""A log is dropped into the chat, comes into the evidence, is asked about, and its cited line is read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from copilot.answers import questions
from copilot.evidence.attached import rows
from copilot.models import Message
from tests import cast
from tests.journeys.conftest import Site, faults_of

pytestmark = pytest.mark.journey


def test_from_a_dropped_log_to_its_cited_line(
    site: Site, browser: Callable[..., BrowserContext], mira: User, tmp_path: Path
) -> None:
    log = tmp_path / "pod.log"
    log.write_text("\n".join(["2026-03-01 10:00:00 INFO up"] * 900 + ["2026-03-01 10:15:00 ERROR disk full on /var"]))
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    page: Page = browser(width=1440, theme="light").new_page()
    site.sign_in(page, mira)
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    expect(page.locator("#live")).to_have_text("Live")

    page.set_input_files("[data-attach]", [log, Path(__file__).parents[2] / "static" / "icons" / "mark.svg"])
    expect(page.locator("#composer-state")).to_contain_text("2 files are being read")
    site.do(rows.pin, incident.pk, now=timezone.now())  # what the worker does
    card = page.locator(".evidence[data-kind=attached]", has_text="disk full on /var")
    expect(card).to_be_visible()

    page.get_by_label("Ask about this incident").fill("What does the attached log show?")
    page.keyboard.press("Enter")
    expect(page.locator(".message[data-from=person]")).to_be_visible()
    site.do(lambda: questions.answer(Message.objects.get(from_copilot=True).pk, chat_model=None, now=timezone.now()))
    said = page.locator(".message[data-from=copilot] .claim", has_text="disk full on /var")
    expect(said).to_have_attribute("data-verdict", "supported")
    assert not faults_of(page)

    card.get_by_role("link", name="pod.log:901").click()
    expect(page.locator("#line")).to_contain_text("ERROR disk full on /var")
    expect(page.locator("#line")).to_be_in_viewport()
    assert not faults_of(page)
