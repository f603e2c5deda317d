"""Mira records what made it worse, resolves by keyboard with the cause already filled in, and sees both kept."""

import pytest
from playwright.sync_api import Page, expect

from incidents.models import Incident
from tests import cast, suspects
from tests.journeys.conftest import Site, faults_of

pytestmark = pytest.mark.journey


def test_resolving_by_keyboard_keeps_the_cause_and_what_did_not_help(site: Site, page: Page) -> None:
    incident = site.do(cast.incident, status=Incident.Status.ACKNOWLEDGED)
    site.do(cast.investigated, incident, where=suspects.located(since=cast.START))
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    page.keyboard.press("w")
    page.keyboard.type("Restarted the pods")
    page.keyboard.press("Enter")
    learned = page.get_by_role("region", name="What was learned")
    expect(learned).to_contain_text("Made it worse Restarted the pods")

    page.locator("body").click(position={"x": 2, "y": 300})
    page.keyboard.press("r")
    expect(page.get_by_role("heading", level=1)).to_contain_text("what was it?")
    chosen = page.get_by_role("radio", name="payments stated chance")
    expect(chosen).to_be_checked()
    expect(chosen).to_be_focused()
    assert faults_of(page) == []
    page.get_by_label("What fixed it").fill("Rolled back to 2.13.4")
    page.keyboard.press("Enter")
    expect(learned).to_contain_text("confirmed by mira")
    expect(learned).to_contain_text("Fixed it payments: Rolled back to 2.13.4")
    expect(page.locator("#verdict .status")).to_have_text("Resolved")
    assert faults_of(page) == []
