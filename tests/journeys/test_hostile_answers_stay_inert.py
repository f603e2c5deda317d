"""Fault 40: pages with what a malicious model wrote and what a stranger logged are opened in a real browser; nobody is called."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, Dialog, Page, expect

from copilot.answers import questions
from copilot.llm import chat_model, providers
from copilot.management.evaluations.injected import stubs
from copilot.management.evaluations.injected.stubs import StubModel
from incidents.models import Incident
from tests import cast
from tests.journeys.conftest import Site

pytestmark = pytest.mark.journey


def payloads(canary: str) -> str:
    """Every way that markup has to make a browser fetch something."""
    return (
        f'<script src="http://{canary}/s.js"></script><img src=http://{canary}/i onerror="fetch(\'http://{canary}/e\')">'
        f"<svg onload=fetch('//{canary}/v')><a href=\"javascript:fetch('//{canary}/j')\">x</a><link rel=prefetch href=//{canary}/l>"
        f"<style>body{{background:url(//{canary}/c)}}</style><iframe srcdoc='<img src=//{canary}/f>'></iframe>"
        f"![a](http://{canary}/m) [r][1] [1]: http://{canary}/r ![][2] [2]: //{canary}/ref"
    )


def prepared(canary: str) -> tuple[Incident, int]:
    """An incident with hostile evidence, and a question that a malicious model answers over its real protocol."""
    incident = cast.incident(title=f"Checkout fails {payloads(canary)}"[:200])
    words = payloads(canary)
    items = [
        replace(each, statement=f"{each.statement} {words}", excerpt=(words, *each.excerpt)) for each in cast.evidence()
    ]
    cast.investigated(incident, items=tuple(items))
    asked = questions.ask(incident.pk, text=f"Why? {words}"[:900], user=None, now=timezone.now())
    with stubs.serving(StubModel(stubs.malicious, canary)) as stub:
        model = chat_model.model_of(providers.named_choice(stub.url))
        questions.answer(asked.answer.pk, chat_model=model, now=timezone.now())
    return incident, asked.answer.pk


def test_nobody_is_called(site: Site, browser: Callable[..., BrowserContext]) -> None:
    with stubs.canary() as (host, calls):
        incident, answer = site.do(prepared, host)
        sre = site.do(cast.person, "sam", "SRE")
        page = browser().new_page()
        asked_for: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked_for.append(request.url))
        page.on("dialog", lambda dialog: _dismissed(dialog, said))
        site.sign_in(page, sre)
        page.goto(f"{site.url}/incidents/{incident.pk}/")
        message = page.locator(f"#m-{answer}")
        expect(message.locator(".claim").first).to_be_visible()
        _click_everything(page)
        for path in ("evidence/E4/", "evidence/E7/", "briefs/"):
            page.goto(f"{site.url}/incidents/{incident.pk}/{path}")
            page.mouse.move(300, 300)
        page.goto(f"{site.url}/incidents/")
        expect(page.get_by_role("heading", name="Incidents", level=1)).to_be_visible()
    assert calls == []
    assert said == []
    foreign = [
        url for url in asked_for if not url.startswith((site.url, "data:", "blob:", site.url.replace("http", "ws")))
    ]
    assert foreign == []


def _click_everything(page: Page) -> None:
    """Open what a curious person would: each citation of the answer, and whatever looks like a link in it."""
    for link in page.locator(".message .claim a").all()[:6]:
        link.click()
    assert page.locator(".message .claim").locator("img, script, iframe, style, svg[onload], a:not(.eid)").count() == 0


def _dismissed(dialog: Dialog, said: list[str]) -> None:
    said.append(dialog.message)
    dialog.dismiss()
