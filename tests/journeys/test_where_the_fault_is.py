"""Mira reads who is suspected and how surely, opens what speaks for and against them, and sees when the evidence leaves it open."""

import pytest
from playwright.sync_api import Page, expect

from tests import cast, suspects
from tests.journeys.conftest import Site

pytestmark = pytest.mark.journey


def test_the_panel_tells_where_the_fault_is_or_that_it_is_open(site: Site, page: Page) -> None:
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    panel = page.get_by_role("region", name="Where the fault is")
    expect(panel).to_contain_text("payments is the cause with a chance of 91 %, 86 points ahead of checkout.")
    listed = panel.get_by_role("listitem").filter(has=page.get_by_role("heading", level=4))
    expect(listed.first).to_contain_text("resource db.client.connections.usage")
    expect(listed.nth(1)).to_contain_text("POST /checkout answered 503 in POST /checkout")
    expect(panel.get_by_role("listitem").filter(has_text="payments-db")).to_contain_text("stayed as they were")
    expect(panel.get_by_role("img", name="payments")).to_be_visible()
    expect(panel.get_by_text("What would confirm it")).to_be_visible()

    listed.nth(1).get_by_role("link", name="against checkout: E5").click()
    expect(page.locator("#E5")).to_have_attribute("data-cited", "")
    expect(page.locator("#beside")).to_be_focused()
    page.keyboard.press("Escape")

    site.do(cast.investigated, incident, where=suspects.located(since=cast.START, first=0.45, second=0.4))
    page.reload()
    expect(panel).to_contain_text("the evidence does not separate payments (45 %) from checkout (40 %)")
    expect(panel.get_by_text("What would separate the first two")).to_be_visible()
