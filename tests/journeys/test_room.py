"""Two people on one incident: they see each other and the same messages, read evidence beside the text by keyboard, and judge a sentence."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from copilot.answers import questions
from copilot.models import ClaimFeedback, Message
from tests import cast
from tests.journeys.conftest import Site, faults_of

pytestmark = pytest.mark.journey


def test_two_people_in_one_room(site: Site, page: Page, browser: Callable[..., BrowserContext], mira: User) -> None:
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    bo: User = site.do(cast.person, "bo", "responder")
    second = browser(width=390, theme="dark").new_page()
    site.sign_in(second, bo)
    for window in (page, second):
        window.goto(f"{site.url}/incidents/{incident.pk}/")
    for window in (page, second):
        expect(window.locator("#present")).to_have_text("Here now: bo, mira")

    field = page.get_by_label("Ask about this incident")
    field.fill("Why pay")
    page.reload()
    expect(field).to_have_value("Why pay")
    field.fill("Why payments?")
    field.press("Enter")
    second.get_by_label("Ask about this incident").fill("What changed?")
    second.get_by_role("button", name="Send").click()
    waiting = page.locator(".message[data-from=copilot]")
    expect(waiting).to_have_count(2)
    expect(waiting.nth(0)).to_contain_text("to mira")
    expect(waiting.nth(1)).to_contain_text("1 answered first")
    # Only who asked can take a question back.
    expect(page.get_by_role("button", name="Take back")).to_have_count(1)
    second.get_by_role("button", name="Take back").click()
    expect(waiting.nth(1)).to_contain_text("Taken back by bo.")

    answer = int(site.do(lambda: Message.objects.filter(from_copilot=True, state="waiting").get().pk))
    assert site.do(questions.answer, answer, chat_model=None, now=timezone.now())
    said = second.locator(f"#m-{answer}")
    expect(said.locator(".claim").first).to_be_visible()
    expect(second.locator("#said")).to_contain_text("Answer:")
    said.get_by_role("button", name="Reply to Co-pilot").click()
    expect(second.locator("#replying")).to_contain_text("Reply to Co-pilot")
    second.get_by_label("Ask about this incident").fill("@mira is the rollback safe?")
    second.get_by_role("button", name="Send").click()
    expect(second.locator("#composer-state")).to_have_text("mira will be told.")
    reply = page.locator(".message[data-reply]")
    expect(reply).to_contain_text("@mira is the rollback safe?")
    assert site.do(lambda: mira.notifications.get().text).endswith("bo: @mira is the rollback safe?")
    expect(page.locator(".message")).to_have_count(5)  # nobody but Mira answers it

    judging(site, page, answer)
    reading_beside(page, answer)
    expect(second.locator(f"#m-{answer} .judged")).to_have_text("Wrong: mira")
    for window in (page, second):
        assert not faults_of(window)


def judging(site: Site, page: Page, answer: int) -> None:
    """One key says what somebody thinks of the sentence that they are on."""
    claim = page.locator(f"#m-{answer} .claim").first
    claim.evaluate("(node) => { node.tabIndex = -1; node.focus(); }")
    page.keyboard.press("x")
    expect(page.locator(f"#m-{answer} .judged")).to_have_text("Wrong: mira")
    assert site.do(lambda: ClaimFeedback.objects.get().judgement) == "wrong"


def reading_beside(page: Page, answer: int) -> None:
    """The evidence opens beside the text, goes on by a key, and Esc gives the focus back."""
    chips = page.locator(f"#m-{answer} .claim .eid")
    chips.first.focus()
    page.keyboard.press("Enter")
    beside = page.locator("#beside")
    expect(beside).to_be_focused()
    expect(beside.locator("h2 .eid")).to_have_text(chips.first.text_content() or "")
    page.keyboard.press(".")
    expect(beside.locator("h2 .eid")).to_have_text(chips.nth(1).text_content() or "")
    assert not faults_of(page)
    page.keyboard.press("Escape")
    expect(beside).to_be_hidden()
    expect(chips.nth(1)).to_be_focused()
    figure = page.locator(f"#m-{answer} .figure").first
    figure.locator("summary").click()
    expect(figure.locator("canvas, .waterfall").first).to_be_visible()
