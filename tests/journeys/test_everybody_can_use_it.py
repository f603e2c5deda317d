"""The pages at both widths and in both themes: what axe-core finds, what overflows; and without a mouse."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from incidents.models import Investigation
from tests import cast
from tests.journeys.conftest import Site, faults_of

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_fault(
    site: Site, browser: Callable[..., BrowserContext], mira: User, width: int, theme: str
) -> None:
    def people() -> tuple[int, int]:
        ready = cast.incident()
        cast.investigated(ready)
        cast.answered(ready, mira)
        waiting = cast.incident(source="live", severity=2)
        Investigation.objects.create(incident=waiting, requested_at=timezone.now())
        return ready.pk, waiting.pk

    ready, waiting = site.do(people)
    context = browser(width=width, theme=theme)
    page = context.new_page()
    page.goto(f"{site.url}/login/")
    found = {"/login/": faults_of(page)}
    site.sign_in(page, mira)
    paths = ("/incidents/", f"/incidents/{ready}/", f"/incidents/{waiting}/", "/account/")
    evidence = tuple(f"/incidents/{ready}/evidence/{name}/" for name in ("E1", "E4", "E5", "E7"))
    for path in (*paths, *evidence):
        page.goto(site.url + path)
        page.wait_for_load_state("networkidle") if "/evidence/" in path else expect(page.locator("h1")).to_be_visible()
        found[path] = faults_of(page)
    assert not {path: faults for path, faults in found.items() if faults}


def test_without_a_mouse(site: Site, page: Page) -> None:
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    page.goto(f"{site.url}/incidents/")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name=cast.TITLE)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents/*/")
    expect(page.locator("#live")).to_have_text("Live")

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#brief .claim").nth(1)).to_be_focused()
    page.keyboard.press("e")
    expect(page.locator("#E10")).to_have_attribute("data-cited", "")
    page.keyboard.press("/")
    field = page.get_by_label("Ask about this incident")
    expect(field).to_be_focused()
    page.keyboard.type("a j ?")
    expect(field).to_have_value("a j ?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Keyboard")).to_be_hidden()
    page.keyboard.press("a")
    expect(page.locator("#verdict .status")).to_have_text("Acknowledged")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runbooks/")


def test_shortcuts_can_be_switched_off_and_the_theme_chosen(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/account/")
    page.get_by_label("Off").check()
    page.get_by_label("Dark").check()
    page.get_by_role("button", name="Save choices").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard")).to_be_hidden()


def test_hostile_text_is_only_text(site: Site, page: Page, mira: User) -> None:
    """What a log line, a model or a person wrote runs no script and loads nothing from elsewhere."""
    incident = site.do(cast.incident, title=f"{cast.HOSTILE[:200]} fails")
    site.do(cast.investigated, incident)
    site.do(cast.answered, incident, mira)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/incidents/", f"/incidents/{incident.pk}/", f"/incidents/{incident.pk}/evidence/E4/"):
        page.goto(site.url + path)
        page.wait_for_load_state("load")
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    page.get_by_label("Ask about this incident").fill(cast.HOSTILE)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".message[data-from=person]", has_text="canary.invalid")).to_have_count(1)
    assert page.evaluate("window.pwned") is None
    assert [url for url in asked if not url.startswith((site.url, site.url.replace("http", "ws")))] == []
    assert page.locator("#messages img, #messages script, a[href^='javascript']").count() == 0
