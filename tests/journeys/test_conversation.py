"""Mira asks, watches the answer being written and checked, asks again, and loses nothing when the connection breaks."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from copilot import events
from copilot.answers import questions
from copilot.models import Claim, Message
from tests import cast
from tests.journeys.conftest import Site

pytestmark = pytest.mark.journey


def opened(site: Site, page: Page) -> int:
    """An investigated incident on Mira's screen."""
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    expect(page.locator("#live")).to_have_text("Live")
    return int(incident.pk)


def tell(site: Site, incident: int, kind: str, **payload: Any) -> None:
    site.do(events.publish, incident_id=incident, kind=kind, payload=payload)


def waiting_answer(site: Site, incident: int) -> int:
    return int(site.do(lambda: Message.objects.filter(incident_id=incident, from_copilot=True).latest("pk").pk))


def finish(site: Site, answer: int) -> None:
    """Let code answer, as it does without a model."""
    from django.utils import timezone

    assert site.do(questions.answer, answer, chat_model=None, now=timezone.now())


def test_an_answer_is_written_checked_and_followed_up(site: Site, page: Page) -> None:
    incident = opened(site, page)
    field = page.get_by_label("Ask about this incident")
    field.fill("Why payments?")
    field.press("Enter")
    expect(page.locator(".message[data-from=person]")).to_contain_text("Why payments?")
    expect(field).to_have_value("")
    answer = waiting_answer(site, incident)
    message = page.locator(f"#m-{answer}")
    expect(message).to_contain_text("waiting for its turn")

    tell(site, incident, "answer.started", message=answer)
    tell(site, incident, "answer.sentence", message=answer, position=0, text="Each card retry", cites=[])
    expect(message.locator(".claim[data-verdict=checking]")).to_contain_text("Each card retry")
    expect(message.locator(".cursor")).to_be_visible()
    tell(
        site, incident, "answer.claim",
        message=answer, position=0, text="Each card retry keeps a connection.", cites=["E4", "E99"], verdict="supported", reason="",
    )  # fmt: skip
    expect(message.locator(".claim[data-verdict=supported]")).to_contain_text("keeps a connection.")
    # E99 does not exist, so no chip leads there.
    expect(message.locator(".eid")).to_have_text(["E4"])

    finish(site, answer)
    expect(message).not_to_have_attribute("aria-busy", "true")
    expect(message.locator("footer")).to_contain_text("Composed by code")
    expect(message.locator(".claim").first).to_be_visible()

    page.get_by_role("button", name="What changed?").click()
    expect(page.locator(".message[data-from=person]")).to_have_count(2)
    follow_up = waiting_answer(site, incident)
    finish(site, follow_up)
    # What was asked makes room for the next suggestion, under the same keys.
    expect(page.get_by_role("group", name="Suggested questions").get_by_text("What changed?")).to_have_count(0)
    expect(page.locator(f"#m-{follow_up} .eid", has_text="E6").first).to_be_visible()
    page.locator(f"#m-{follow_up} .eid", has_text="E6").first.click()
    expect(page.locator("#E6")).to_have_attribute("data-cited", "")
    expect(page.locator("#beside")).to_contain_text("payments 2.13.4 → 2.14.0")


def test_a_failed_answer_says_why_and_can_be_asked_again(site: Site, page: Page) -> None:
    incident = opened(site, page)
    page.get_by_label("Ask about this incident").fill("Why payments?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".message")).to_have_count(2)
    answer = waiting_answer(site, incident)
    why = "The model server at 127.0.0.1:8101 refused the connection."
    site.do(lambda: Message.objects.filter(pk=answer).update(state=Message.State.FAILED, failure=why))
    tell(site, incident, "answer.done", message=answer, state="failed", failure=why, footer="")
    expect(page.locator(f"#m-{answer}")).to_contain_text(why)
    expect(page.locator("#brief")).to_contain_text("Probably payments")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(f"#m-{answer}")).to_contain_text("waiting for its turn")


def watch_sentences(page: Page, answer: int) -> None:
    """Have the page note, at each of its changes, what the answer's sentences say."""
    page.evaluate(
        "answer => { window.seen = []; new MutationObserver(() => { window.seen.push("
        "[...document.querySelectorAll(`#m-${answer} .claim .said`)].map(said => said.textContent)); })"
        ".observe(document.querySelector('#messages'), { subtree: true, childList: true }); }",
        answer,
    )


def test_three_hundred_events_while_the_server_was_away(site: Site, page: Page) -> None:
    incident = opened(site, page)
    asked = site.do(lambda: cast.question(cast.Incident.objects.get(pk=incident), cast.User.objects.get()))
    answer = int(site.do(lambda: asked.answer.pk))
    tell(site, incident, "message.created", message=answer)
    message = page.locator(f"#m-{answer}")
    expect(message).to_be_visible()
    watch_sentences(page, answer)
    site.stop()
    expect(page.locator("#live")).not_to_have_text("Live")

    def happen() -> None:
        events.publish(incident_id=incident, kind="answer.started", payload={"message": answer})
        for number in range(299):
            payload = {"message": answer, "position": 0, "text": f"word {number}", "cites": []}
            events.publish(incident_id=incident, kind="answer.sentence", payload=payload)

    site.do(happen)
    site.start()
    expect(page.locator("#live")).to_have_text("Live", timeout=30_000)
    expect(message.locator(".said")).to_have_text("word 298")
    seen = [int(said[0].removeprefix("word ")) for said in page.evaluate("window.seen") if said]
    assert seen[-1] == 298
    assert seen == sorted(seen)


def test_the_server_restarts_while_an_answer_is_written(site: Site, page: Page) -> None:
    incident = opened(site, page)
    asked = site.do(lambda: cast.question(cast.Incident.objects.get(pk=incident), cast.User.objects.get()))
    answer = int(site.do(lambda: asked.answer.pk))
    tell(site, incident, "message.created", message=answer)
    message = page.locator(f"#m-{answer}")
    expect(message).to_be_visible()
    watch_sentences(page, answer)

    def write(position: int) -> None:
        words = f"Sentence {position} has four words.".split()
        for length in range(1, len(words) + 1):
            events.publish(
                incident_id=incident, kind="answer.sentence",
                payload={"message": answer, "position": position, "text": " ".join(words[:length]), "cites": []},
            )  # fmt: skip
        claim = {"position": position, "text": " ".join(words), "cites": ["E1"], "verdict": "supported", "reason": ""}
        Claim.objects.create(message_id=answer, **claim)
        events.publish(incident_id=incident, kind="answer.claim", payload={"message": answer, **claim})

    def begin() -> None:
        Message.objects.filter(pk=answer).update(state=Message.State.STREAMING)
        events.publish(incident_id=incident, kind="answer.started", payload={"message": answer})
        write(0)

    site.do(begin)
    expect(message.locator(".claim[data-verdict=supported]")).to_have_count(1)
    site.stop()
    expect(page.locator("#live")).not_to_have_text("Live")
    site.do(write, 1)
    site.start()
    site.do(write, 2)
    expect(page.locator("#live")).to_have_text("Live", timeout=30_000)
    whole = [f"Sentence {position} has four words." for position in range(3)]
    expect(message.locator(".said")).to_have_text(whole)
    expect(message.locator(".claim[data-verdict=supported]")).to_have_count(3)
    lengths = [[len(sentence) for sentence in said] for said in page.evaluate("window.seen")]
    assert lengths == sorted(lengths), "a sentence was shorter, or away, after it had been longer"


def test_without_a_socket_the_page_reads_every_few_seconds(site: Site, page: Page) -> None:
    page.route_web_socket("**/ws/**", lambda socket: socket.close())
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    expect(page.locator("#live")).to_have_text("Reconnecting, reading every 3 s")
    page.get_by_label("Ask about this incident").fill("What changed?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".message")).to_have_count(2)


def test_a_page_opened_in_the_middle_of_an_answer_shows_all_of_it(site: Site, page: Page) -> None:
    incident = site.do(cast.incident)
    site.do(cast.investigated, incident)
    asked = site.do(lambda: cast.question(incident, cast.User.objects.get()))
    answer = int(site.do(lambda: asked.answer.pk))

    def begin() -> None:
        Message.objects.filter(pk=answer).update(state=Message.State.STREAMING)
        events.publish(incident_id=incident.pk, kind="answer.started", payload={"message": answer})
        Claim.objects.create(message_id=answer, position=0, text="First.", cites=["E1"], verdict="supported")
        claim = {"position": 0, "text": "First.", "cites": ["E1"], "verdict": "supported", "reason": ""}
        events.publish(incident_id=incident.pk, kind="answer.claim", payload={"message": answer, **claim})
        sentence = {"position": 1, "text": "Second, so f", "cites": []}
        events.publish(incident_id=incident.pk, kind="answer.sentence", payload={"message": answer, **sentence})

    site.do(begin)
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    expect(page.locator(f"#m-{answer} .said")).to_have_text(["First.", "Second, so f"])
