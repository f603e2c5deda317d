"""Mira gets a link, signs in, finds the incident, reads the brief and follows a citation to its evidence."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from copilot import signin
from tests import cast
from tests.journeys.conftest import Site

pytestmark = pytest.mark.journey


def test_from_the_link_to_the_evidence(site: Site, browser: Callable[..., BrowserContext], mira: User) -> None:
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    page = browser().new_page()
    link = site.url + site.do(signin.create_link, mira, now=timezone.now())

    page.goto(link)
    page.get_by_role("button", name="Sign in").press("Enter")
    expect(page.get_by_role("heading", name="Incidents", level=1)).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\(1\) Incidents"))

    page.get_by_role("link", name=cast.TITLE).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(cast.TITLE)
    expect(page.locator("#verdict")).to_contain_text("Probably payments (a chance of 71 %)")
    expect(page.locator("#verdict")).to_contain_text("likely Held down from 94 %")
    expect(page.locator("#refutation .attempts li").first).to_contain_text("cannot have harmed? Not answered.")
    expect(page.locator("#live")).to_have_text("Live")
    claim = page.locator("#brief .claim", has_text="never in the window before")
    claim.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")

    claim.get_by_role("link", name="E4").click()
    evidence = page.locator("#E4")
    expect(evidence).to_have_attribute("data-cited", "")
    beside = page.locator("#beside")
    expect(beside).to_be_focused()
    expect(beside.locator("[aria-current]").first).to_contain_text("QueuePool limit of size 30")
    expect(beside.locator("[aria-current]").first).to_be_in_viewport()
    assert page.url.endswith("#E4")
    page.go_back()
    expect(beside).to_be_hidden()
    expect(claim).to_be_in_viewport()
    assert abs(page.evaluate("scrollY") - before) < 50

    page.locator("#E1 h3 a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("payments database connections in use")
    expect(page.locator(".plot canvas")).to_be_visible()
    page.get_by_text("Show as table").click()
    expect(page.locator(".as-table tr")).to_have_count(225)
    expect(page.locator("#query")).to_have_text('metric{service="payments"}')
    page.get_by_role("link", name=re.compile("E2.*next")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("failed requests")


def test_the_page_fills_itself_when_the_investigation_is_ready(site: Site, page: Page) -> None:
    from copilot import events

    incident = site.do(cast.incident)
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    expect(page.locator("#brief")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("button", name="Explain")).to_be_disabled()
    expect(page.locator("#live")).to_have_text("Live")

    site.do(cast.investigated, incident)
    site.do(events.publish, incident_id=incident.pk, kind="investigation.ready", payload={})
    expect(page.locator("#verdict")).to_contain_text("Probably payments")
    expect(page.locator("#E1 canvas")).to_be_visible()
    expect(page.get_by_role("button", name="Explain")).to_be_enabled()


def test_acknowledging_and_adding_a_note(
    site: Site, page: Page, browser: Callable[..., BrowserContext], mira: User
) -> None:
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    second = browser().new_page()
    site.sign_in(second, mira)
    for window in (page, second):
        window.goto(f"{site.url}/incidents/{incident.pk}/")
        expect(window.locator("#live")).to_have_text("Live")

    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#verdict .status")).to_have_text("Acknowledged")
    # The other window hears of it without a reload.
    expect(second.locator("#verdict .status")).to_have_text("Acknowledged")
    page.get_by_label("Note for the timeline").fill("Database looks fine from here.")
    page.get_by_role("button", name="Add note").click()
    expect(second.locator("#timeline")).to_contain_text("Database looks fine from here.")


def test_a_new_incident_appears_on_the_open_list(site: Site, page: Page) -> None:
    from copilot import events

    expect(page.get_by_role("heading", name="No incidents yet")).to_be_visible()
    expect(page.locator("#endpoint")).to_contain_text(site.url)
    expect(page.locator("#live")).to_have_text("Live")
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    site.do(events.publish, incident_id=incident.pk, kind="investigation.ready", payload={})
    expect(page.get_by_role("link", name=cast.TITLE)).to_be_visible()
