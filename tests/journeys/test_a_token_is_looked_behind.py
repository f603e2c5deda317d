"""An SRE looks behind a token with the keyboard alone; a responder's page has nothing to press."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from copilot.evidence import hiding
from copilot.models import Unmasking
from copilot.privacy import vault
from incidents.models import Incident
from tests import cast
from tests.journeys.conftest import Site, faults_of

pytestmark = pytest.mark.journey
CALLER = "203.0.113.9"


def incident_with_a_caller() -> Incident:
    made = cast.incident()
    pseudonyms = vault.of_incident(made.pk)
    found = [replace(each, statement=f"{each.statement} Caller {CALLER}.") for each in cast.evidence()]
    cast.investigated(made, items=tuple(hiding.item(each, pseudonyms) for each in found))
    return made


def test_an_sre_looks_behind_a_token(site: Site, browser: Callable[..., BrowserContext]) -> None:
    incident, sre = site.do(incident_with_a_caller), site.do(cast.person, "sam", "SRE")
    page = browser().new_page()
    site.sign_in(page, sre)
    page.goto(f"{site.url}/incidents/{incident.pk}/evidence/E1/")
    token = page.locator(".statement button.token")
    expect(token).to_have_text("‹ip-1›")
    assert CALLER not in page.content()

    token.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert not faults_of(page)
    page.keyboard.type("blocking the caller")
    page.keyboard.press("Enter")
    expect(token).to_have_text(CALLER)
    expect(token).to_be_focused()
    seen = site.do(Unmasking.objects.select_related("by").get)
    assert (seen.by, seen.token, seen.incident_id, seen.reason) == (sre, "‹ip-1›", incident.pk, "blocking the caller")
    token.press("Enter")
    expect(token).to_have_text("‹ip-1›")

    page.goto(f"{site.url}/incidents/{incident.pk}/")
    token = page.locator("#E1 .statement button.token, #E1 button.token").first
    expect(token).to_be_visible()
    token.click()
    site.do(Unmasking.objects.all().delete)
    page.get_by_label("Why do you need").fill("ok")
    page.get_by_role("button", name="Show it").click()  # two characters are no reason: the browser says so
    expect(page.get_by_role("dialog")).to_be_visible()
    assert site.do(Unmasking.objects.count) == 0
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_responder_sees_the_token_alone(site: Site, page: Page) -> None:
    incident = site.do(incident_with_a_caller)
    page.goto(f"{site.url}/incidents/{incident.pk}/evidence/E1/")
    expect(page.locator(".statement")).to_contain_text("‹ip-1›")
    expect(page.locator("button.token, #unmask")).to_have_count(0)
