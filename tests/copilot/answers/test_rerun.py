"""An answer written again from what it was written from, by another model or with another prompt, and both on one page."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from copilot.answers import questions, rerun
from copilot.answers.rerun import RerunRefused
from copilot.llm.scripted import ScriptedModel
from copilot.models import AuditEntry, Message, ModelCall, Rerun
from incidents.models import Investigation, OutboxMessage
from tests import cast
from tests.copilot.llm.fake_provider import provider, speaks
from tests.services import free_port

NOW = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
SAID = '{"claims":[{"text":"payments db_pool_in_use rose.","cites":["E1"]}]}'
MADE_UP = '{"claims":[{"text":"payments had 999 connections.","cites":["E1"]}]}'

pytestmark = pytest.mark.django_db


@pytest.fixture
def mira() -> User:
    return cast.mira()


@pytest.fixture
def answer(mira: User) -> Message:
    """An answer of a model; what the incident's evidence is now is another matter."""
    incident = cast.incident()
    cast.investigated(incident)
    asked = questions.ask(incident.pk, text="Why is checkout slow?", user=mira, now=NOW)
    questions.answer(asked.answer.pk, chat_model=ScriptedModel([[SAID]]), now=NOW)
    Investigation.objects.update(evidence={})
    OutboxMessage.objects.all().delete()
    asked.answer.refresh_from_db()
    return asked.answer


def test_another_model_and_prompt_from_the_same_evidence(answer: Message, mira: User, settings: Settings) -> None:
    with provider(speaks(MADE_UP)) as fake:
        settings.COPILOT_LLM_COMPARE, settings.COPILOT_LLM_MODEL = fake.url, "other"
        asked = rerun.request(answer.pk, model=fake.url, prompt_version="2", user=mira, now=NOW)
        assert [(m.task, m.arguments) for m in OutboxMessage.objects.all()] == [(rerun.TASK, [asked.pk])]
        assert rerun.run(asked.pk, clock=lambda: NOW)
        assert not rerun.run(asked.pk, clock=lambda: NOW), "a task that runs twice writes once"
    asked.refresh_from_db()
    assert "Begin with the mechanism" in fake.requests[0]["messages"][0]["content"]
    assert (asked.state, asked.claims[-1]["verdict"]) == ("done", "unverified")
    assert asked.calls[0]["prompt_version"].startswith("2-")
    assert asked.calls[0]["prompt_tokens"] == 900
    answer.refresh_from_db()
    assert "db_pool_in_use" in answer.claims.get(by_model=True).text, "the answer itself stays as it is"
    assert ModelCall.objects.filter(purpose="rerun").count() == 1


def test_code_alone_is_an_arm_too_and_a_dead_model_says_so(answer: Message, settings: Settings) -> None:
    alone = rerun.request(answer.pk, model="none", prompt_version="1", user=None, now=NOW)
    rerun.run(alone.pk, clock=lambda: NOW)
    alone.refresh_from_db()
    assert (alone.state, alone.calls) == ("done", [])
    assert alone.claims
    settings.COPILOT_LLM = f"http://127.0.0.1:{free_port()}/v1"
    dead = rerun.request(answer.pk, model=settings.COPILOT_LLM, prompt_version="1", user=None, now=NOW)
    rerun.run(dead.pk, clock=lambda: NOW)
    dead.refresh_from_db()
    assert dead.state == "failed"
    assert "refused the connection" in dead.failure


def test_what_cannot_be_written_again_is_refused(answer: Message, mira: User) -> None:
    for changes, says in (
        ({"model": "openai:not-in-settings"}, "not among those that the settings name"),
        ({"prompt_version": "99"}, "no version '99'"),
    ):
        with pytest.raises(RerunRefused, match=says):
            rerun.request(answer.pk, **{"model": "none", "prompt_version": "1", "user": mira, "now": NOW, **changes})  # type: ignore[arg-type]
    for _ in range(rerun.MOST_WAITING):
        rerun.request(answer.pk, model="none", prompt_version="1", user=mira, now=NOW)
    with pytest.raises(RerunRefused, match="wait for one"):
        rerun.request(answer.pk, model="none", prompt_version="1", user=mira, now=NOW)
    assert rerun.give_up_stuck(now=NOW + timedelta(minutes=9)) == 0
    assert rerun.give_up_stuck(now=NOW + timedelta(minutes=11)) == 3
    Message.objects.filter(pk=answer.pk).update(pinned=None)
    with pytest.raises(RerunRefused, match="with its evidence kept"):
        rerun.request(answer.pk, model="none", prompt_version="1", user=mira, now=NOW)


def test_the_page_shows_both_and_the_audit_log_who_asked(answer: Message, mira: User, client: Client) -> None:
    client.force_login(mira)
    page = f"/incidents/{answer.incident_id}/messages/{answer.pk}/compare/"
    posted = client.post(page.replace("compare", "again"), {"model": "none", "prompt": "1"})
    assert (posted.status_code, posted["Location"]) == (302, page)
    assert "Being written" in client.get(page).content.decode()
    rerun.run(Rerun.objects.get().pk, clock=lambda: NOW)
    said = client.get(page).content.decode()
    assert "Verdict by code, the same for all" in said
    assert "the answer as it was given" in said
    assert "asked for by mira" in said
    assert said.count(" sentences (") == 2
    entry = AuditEntry.objects.get(table="copilot_rerun")
    assert (entry.actor, entry.action) == ("mira", "insert")
    client.post(page.replace("compare", "again"), {"model": "no-such", "prompt": "1"})
    assert "not among those that the settings name" in client.get(page).content.decode()
    assert f'href="{page}"' in client.get(f"/incidents/{answer.incident_id}/messages/{answer.pk}/").content.decode()


def test_who_may_only_look_cannot_run_again(answer: Message, client: Client) -> None:
    client.force_login(cast.person("vic", "viewer"))
    page = f"/incidents/{answer.incident_id}/messages/{answer.pk}/compare/"
    assert "Run again with" not in client.get(page).content.decode()
    assert client.post(page.replace("compare", "again"), {"model": "none", "prompt": "1"}).status_code == 403
    assert Rerun.objects.count() == 0
