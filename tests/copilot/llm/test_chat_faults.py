"""Faults 33, 34, 35 and 39 as the person who asked sees them: a provider that fails in any way, and what the chat says about it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from copilot import tasks
from copilot.answers import questions
from copilot.models import Message
from tests import cast
from tests.copilot.llm.fake_provider import Script, chunk, fails, provider, sends, speaks, stays_silent

pytestmark = pytest.mark.django_db

SOON = timedelta(seconds=0.3)
WHOLE = '{"claims":[{"text":"payments is slow.","cites":["E1"]}'
ABROAD = '{"claims":[{"text":"Die Datenbank von payments ist seit 17:31 Uhr kaputt.","cites":["E1"]}]}'
UNFOUNDED = '{"claims":[{"text":"An asteroid hit rack 17.","cites":["E999"]}]}'

Ask = Callable[..., Message]


@pytest.fixture
def ask(settings: Settings) -> Ask:
    """Ask a question, have a worker's task answer it by a provider that follows scripts, and return the answer."""
    settings.LLM_FIRST_TOKEN_TIMEOUT = settings.LLM_IDLE_TIMEOUT = SOON
    incident = cast.incident()
    cast.investigated(incident)
    mira = cast.mira()

    def run(*scripts: Script) -> Message:
        asked = questions.ask(incident.pk, text="Is it the moon?", user=mira, now=timezone.now())
        with provider(*scripts) as fake:
            settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL = fake.url, "fake"
            tasks.answer(asked.answer.pk)
        found: Message = Message.objects.get(pk=asked.answer.pk)
        found.asked_times = len(fake.requests)  # type: ignore[attr-defined]
        return found

    return run


@pytest.mark.parametrize(
    ("script", "says", "state"),
    [
        (fails(401), "refused the key (status 401)", "failed"),
        (fails(429, retry_after="7"), "asks to wait 7 s. The brief needs no model. Trying again in 7 s.", "waiting"),
        (fails(500), "failed by itself (status 500)", "waiting"),
        (stays_silent(), "sent no text within 0.9 s (COPILOT_LLM_FIRST_TOKEN_SECONDS)", "failed"),
        (speaks("", finish=None), "ended in the middle", "waiting"),
        (sends(b"data: {not json}\n\n"), "did not send a chat reply", "waiting"),
        (speaks(""), "The model gave no answer", "failed"),
        (speaks("I cannot help with that.", finish="content_filter"), "The model gave no answer", "failed"),
        (speaks("Sorry, I cannot."), "is not JSON", "failed"),
    ],
    ids=["401", "429", "500", "silent", "hangs up", "garbage", "empty", "refusal", "no JSON"],
)
def test_the_chat_says_the_cause_and_the_page_works(
    ask: Ask, client: Client, script: Script, says: str, state: str
) -> None:
    answer = ask(script)
    assert says in answer.failure
    assert answer.state == state
    assert answer.asked_times <= 2  # type: ignore[attr-defined]
    client.force_login(cast.person("vic", "viewer"))
    page = client.get(f"/incidents/{answer.incident_id}/")
    assert page.status_code == 200
    assert says.split("(")[0].strip() in page.content.decode()


@pytest.mark.parametrize(
    "cut",
    [
        chunk(WHOLE),
        chunk(WHOLE) + b'data: {"id": "c1", "choi',
        chunk(WHOLE) + 'data: {"id": "é'.encode()[:-1] + b"\n\n",
    ],
    ids=["between chunks", "mid JSON", "mid UTF-8"],
)
def test_what_came_before_a_cut_is_kept_and_marked_after_one_retry(ask: Ask, cut: bytes) -> None:
    answer = ask(sends(cut))
    assert (answer.state, answer.asked_times) == ("partial", 2)  # type: ignore[attr-defined]
    assert answer.failure.startswith("Cut short: ")
    assert answer.claims.filter(by_model=True).count() == 1


def test_a_drip_ends_with_what_came(ask: Ask) -> None:
    def drips(peer):  # type: ignore[no-untyped-def]
        speaks(WHOLE, finish=None)(peer)
        stays_silent()(peer)

    answer = ask(drips)
    assert (answer.state, answer.asked_times) == ("partial", 1)  # type: ignore[attr-defined]
    assert "stopped sending for 0.3 s" in answer.failure


@pytest.mark.parametrize("text", [ABROAD, UNFOUNDED], ids=["another language", "no such evidence"])
def test_what_the_evidence_does_not_say_is_marked_in_any_language(ask: Ask, text: str) -> None:
    answer = ask(speaks(text))
    written = answer.claims.get(by_model=True)
    assert written.verdict != "supported"
    assert written.reason


def test_a_provider_that_is_down_is_not_asked_by_every_question(settings: Settings) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    mira = cast.mira()
    with provider(fails(500)) as fake:
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL = fake.url, "fake"
        for _ in range(6):
            asked = questions.ask(incident.pk, text="Is it the moon?", user=mira, now=timezone.now())
            tasks.answer(asked.answer.pk)
    assert len(fake.requests) == 3
    last = Message.objects.get(question=asked)
    assert "failed 3 times in a row and is asked again at" in last.failure
    assert last.state == "waiting"
