"""The board in a real browser: run from the keyboard, live without a jump, and the managers' pages at both widths and in both themes."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from copilot import events
from incidents.history import writing
from incidents.models import Incident
from incidents.trends import noise
from tests import cast
from tests.journeys.conftest import Site, faults_of

pytestmark = pytest.mark.journey


def happening(title: str, **changes: object) -> Incident:
    now = timezone.now()
    return cast.incident(
        **{"title": title, "source": "live", "started_at": now, "opened_at": now, "last_anomaly_at": now, **changes}
    )


def opened(site: Site, title: str) -> Incident:
    """An incident that opens while people look at the board."""
    incident = site.do(happening, title)
    site.do(events.publish, incident_id=incident.pk, kind="incident.changed", payload={})
    return incident


def test_a_shift_without_a_mouse(site: Site, page: Page) -> None:
    old, new = site.do(happening, "Cart loses items"), site.do(happening, "Search is slow")
    page.goto(f"{site.url}/incidents/")
    expect(page.locator("#live")).to_have_text("Live")
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text("Move to an incident with J or K first")

    page.keyboard.press("j")
    page.keyboard.press("j")
    row = page.locator(f"#row-{old.pk}")
    expect(row.get_by_role("link")).to_be_focused()
    page.keyboard.press("a")
    expect(row.locator(".status")).to_have_text("Acknowledged")
    expect(row.get_by_role("link")).to_be_focused()
    expect(page.locator(f"#row-{new.pk} .status")).to_have_text("Not acknowledged")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name=f"Snooze {old.reference} for how long?")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(row.locator(".status")).to_have_text("Resolved")  # in its place, until the list is shown anew
    page.keyboard.press("k")
    page.keyboard.press("s")
    page.get_by_role("button", name="1 hour").press("Enter")
    expect(page.locator(f"#row-{new.pk} .status")).to_have_text("Now under Snoozed")

    page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Search incidents")
    expect(field).to_be_focused()
    field.fill("cart loses")
    field.press("Enter")
    page.wait_for_url("**/incidents/?q=cart+loses")
    expect(page.get_by_role("link", name="Cart loses items")).to_be_visible()
    expect(page.get_by_role("link", name="Search is slow")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{old.pk}/")


def test_what_opens_appears_by_itself_and_never_under_the_finger(site: Site, page: Page) -> None:
    first = site.do(happening, "Cart loses items")
    page.goto(f"{site.url}/incidents/")
    expect(page.locator("#live")).to_have_text("Live")
    page.evaluate("window.same = true")
    second = opened(site, "Search is slow")
    expect(page.locator(f"#row-{second.pk}")).to_be_visible()
    expect(page).to_have_title("(2) Incidents · Co-pilot")

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(f"#row-{first.pk} h3 a")).to_be_focused()
    before = page.locator(f"#row-{first.pk}").bounding_box()
    third = opened(site, "Images are missing")
    expect(page.get_by_role("button", name="Show 1 new incident")).to_be_visible()
    expect(page.locator(f"#row-{third.pk}")).to_have_count(0)
    after = page.locator(f"#row-{first.pk}").bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] == before["height"]
    page.get_by_role("button", name="Show 1 new incident").click()
    expect(page.locator(f"#row-{third.pk}")).to_be_visible()
    assert page.evaluate("window.same") is True


def test_views_are_kept_and_shared(site: Site, page: Page, browser: Callable[..., BrowserContext]) -> None:
    site.do(happening, "Cart loses items", services=["cart"])
    page.goto(f"{site.url}/incidents/?service=cart&severity=1")
    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Keep these filters as").fill("Bad carts")
    page.get_by_label("For everybody").check()
    page.get_by_role("button", name="Keep").click()
    expect(page.locator(".toast")).to_contain_text("Kept as “Bad carts”")
    other = browser().new_page()
    site.sign_in(other, site.do(cast.person, "vic", "viewer"))
    other.get_by_text("Views", exact=True).click()
    other.get_by_role("link", name="Bad carts").click()
    other.wait_for_url("**/incidents/?service=cart&severity=1")
    expect(other.get_by_role("link", name="Cart loses items")).to_be_visible()
    expect(other.get_by_role("button", name="Acknowledge")).to_have_count(0)


def year() -> None:
    now = timezone.now()
    writing.write(days=200, incidents=200, seed=1, now=now)
    noise.add_up(now=now, since=(now - timedelta(days=200)).date())


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_managers_pages_have_no_fault(
    site: Site, browser: Callable[..., BrowserContext], width: int, theme: str
) -> None:
    site.do(year)
    page = browser(width=width, theme=theme).new_page()
    site.sign_in(page, site.do(cast.person, "max", "manager"))
    found = {}
    for path in ("", "recurring/", "noise/", "people/", "incidents/", "report/"):
        page.goto(f"{site.url}/trends/{path}?demo=1&period=6m")
        expect(page.locator("h1")).to_be_visible()
        if not path:
            expect(page.locator(".plot canvas")).to_have_count(3)
        found[path] = faults_of(page)
    page.goto(f"{site.url}/incidents/?q=deploy&cause=deploy")
    found["board"] = faults_of(page)
    assert not {path: faults for path, faults in found.items() if faults}


def test_a_manager_asks_why(site: Site, browser: Callable[..., BrowserContext], mira: User) -> None:
    site.do(year)
    page = browser().new_page()
    site.sign_in(page, site.do(cast.person, "max", "manager"))
    page.get_by_role("link", name="Trends", exact=True).click()
    page.get_by_role("link", name="Show demo data").click()
    page.get_by_role("link", name="6 months").click()
    page.get_by_role("link", name="Acknowledge", exact=True).click()
    page.wait_for_url("**measure=acknowledge**")
    page.get_by_text("Show as table").first.click()
    expect(page.get_by_role("columnheader", name="Time to acknowledge, median (95 % interval)")).to_be_visible()
    with page.expect_download() as picture:
        page.get_by_role("button", name="Save as PNG").first.click()
    assert picture.value.suggested_filename == "course.png"
    page.get_by_label("Team").select_option("Checkout (demo)")
    page.wait_for_url("**team=Checkout**")
    expect(page.get_by_text("Incidents by hour of the week, Europe/Berlin", exact=False)).to_be_visible()
    with page.expect_download() as file:
        page.get_by_role("link", name="Incidents as CSV").click()
    assert file.value.suggested_filename.endswith("-demo-data.csv")
    page.get_by_role("link", name="behind these numbers").click()
    page.locator("th a").first.click()
    page.wait_for_url("**/incidents/*/")
