"""The main job on real services: a recorded outage, the incident that opened by itself, its brief, the real model's checked answer."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.services import LiveSite, model_path

pytestmark = [pytest.mark.journey, pytest.mark.local_model, pytest.mark.timeout(1500)]
ANSWERED_MS = 540_000  # the local model on a busy machine; two idle cores need about half a minute


def test_an_outage_is_explained_and_a_question_answered(
    live_site: LiveSite, browser: Callable[..., BrowserContext]
) -> None:
    model_path()
    printed = live_site.manage("demo", "leaked-connection-pool", "--detach", seconds=300)
    link = re.search(r"Open +(\S+/sign-in/\S+)", printed)
    assert link, printed
    page = browser().new_page()

    page.goto(link.group(1))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("payments")
    expect(page.locator("#verdict")).to_contain_text("payments")
    expect(page.locator("#brief .claim").first).to_be_visible()
    expect(page.locator("#live")).to_have_text("Live")

    explanation = page.locator(".message:not([data-from=person])").first
    finished(explanation)
    expect(explanation.locator("footer")).to_contain_text("qwen2.5-coder-1.5b")
    assert explanation.locator(".claim").count() >= 2
    cited = explanation.locator(".claim[data-verdict=supported] .eid").first
    number = cited.inner_text()
    cited.click()
    expect(page.locator(f"#{number}")).to_have_attribute("data-cited", "")
    beside = page.locator("#beside").get_by_role("heading", name=number)
    expect(beside).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(beside).to_be_hidden()

    field = page.get_by_label("Ask about this incident")
    field.fill("Is the database the cause?")
    field.press("Enter")
    expect(page.locator(".message[data-from=person]")).to_contain_text("Is the database the cause?")
    answer = page.locator(".message:not([data-from=person])").nth(1)
    finished(answer)
    expect(answer.locator(".claim").first).to_be_visible()


def finished(message: Locator) -> None:
    """Wait until the answer is written, and hold it to have succeeded."""
    expect(message).to_be_visible()
    expect(message).not_to_have_attribute("aria-busy", "true", timeout=ANSWERED_MS)
    expect(message.locator("footer")).to_contain_text("sentences verified", timeout=ANSWERED_MS)
