"""After the incident, Mira looks at what was known at each minute: header, brief and hypotheses go back and forth with the slider."""

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from copilot.answers import brief as briefs
from copilot.evidence import bundle as bundles
from incidents.models import FormerLook, Incident, Investigation
from tests import cast, suspects
from tests.journeys.conftest import Site

pytestmark = pytest.mark.journey


def two_looks() -> Incident:
    """An incident whose first look saw less than its second."""
    incident = cast.incident()
    investigation = cast.investigated(incident)
    nothing = replace(suspects.located(since=cast.START), is_named=False, suspects=(), cleared=(), spread=())
    early = replace(cast.bundle(), hypotheses=(), gaps=("Traces had not arrived yet.",), located=nothing)
    FormerLook.objects.create(
        incident=incident,
        finished_at=cast.OPENED + timedelta(seconds=20),
        evidence=bundles.to_json(early),
        brief=briefs.to_json(briefs.write(early, title="payments: first look")),
    )
    Investigation.objects.filter(pk=investigation.pk).update(finished_at=cast.OPENED + timedelta(seconds=80))
    return incident


def test_the_page_goes_back_to_what_was_known(site: Site, page: Page) -> None:
    incident = site.do(two_looks)
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    slider = page.get_by_label("What was known then")
    brief, notice = page.locator("#brief"), page.locator("#verdict .notice", has_text="As it was known")
    expect(page.locator("#E2 canvas")).to_be_visible()
    expect(brief).not_to_contain_text("Traces had not arrived yet.")

    slider.focus()
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    expect(notice).to_contain_text("As it was known at 02:48 UTC")
    expect(brief).to_contain_text("Traces had not arrived yet.")
    expect(brief).to_contain_text("No cause is named: nothing beyond the usual was found in any service.")
    expect(slider).to_be_focused()
    expect(page.locator("#E2 canvas")).to_have_count(1)
    assert page.url.endswith("?at=2026-11-22T02:48:00Z")

    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", name="No brief yet")).to_be_visible()
    expect(slider).to_be_focused()

    notice.get_by_role("link", name="Back to now").click()
    expect(notice).to_have_count(0)
    expect(brief).not_to_contain_text("Traces had not arrived yet.")
    expect(page.locator("#E2 canvas")).to_be_visible()
    assert "?" not in page.url
