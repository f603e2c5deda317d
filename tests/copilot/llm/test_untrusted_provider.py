"""Fault 33: a provider whose TLS fails is named with its cause, once, where the person asked."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from copilot import tasks
from copilot.answers import questions
from copilot.llm import chat_model, providers
from copilot.llm.failures import ModelFailed, ModelRefused
from copilot.llm.prompts import Prompt
from copilot.models import Message, ModelCall
from tests import cast
from tests.copilot.llm.untrusted_provider import provider_without_tls, self_signed_provider

PROMPT = Prompt("You explain.", "What is wrong?", None, max_tokens=50)


@pytest.fixture(autouse=True)
def fresh_clients() -> None:
    providers._client.cache_clear()


def failure() -> ModelFailed:
    model = chat_model.chat_model()
    assert model is not None
    with pytest.raises(ModelFailed) as caught:
        model.reply(PROMPT, on_text=lambda _: None)
    return caught.value


@pytest.mark.parametrize("protocol", ["openai-compatible", "ollama"])
def test_a_self_signed_certificate_is_the_cause(tmp_path: Path, settings: Settings, protocol: str) -> None:
    with self_signed_provider(tmp_path) as url:
        if protocol == "ollama":
            settings.COPILOT_LLM, settings.OLLAMA_URL = "ollama:m", url.removesuffix("/v1")
        else:
            settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL = url, "m"
        found = failure()
        host = url.removeprefix("https://").removesuffix("/v1")
    assert isinstance(found, ModelRefused)
    assert f"at {host} could not prove who it is" in str(found)
    assert "self-signed certificate" in str(found)
    assert not found.temporary


def test_a_server_without_tls_behind_an_https_address_is_the_cause(settings: Settings) -> None:
    with provider_without_tls() as url:
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL = url, "m"
        said = str(failure())
    assert "could not prove who it is" in said
    assert "SSL" in said


@pytest.mark.django_db
def test_the_chat_says_so_and_the_incident_page_works(tmp_path: Path, settings: Settings, client: Client) -> None:
    client.force_login(cast.mira())
    incident = cast.incident()
    cast.investigated(incident)
    with self_signed_provider(tmp_path) as url:
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL = url, "m"
        questions.explain(incident.pk, now=timezone.now())
        message = Message.objects.get(state=Message.State.WAITING)
        tasks.answer(message.pk)
        tasks.reclaim_expired()
        tasks.answer(message.pk)
    message.refresh_from_db()
    assert message.state == Message.State.FAILED
    assert "could not prove who it is" in message.failure
    assert ModelCall.objects.count() == 1, "asking again would change nothing"
    page = client.get(f"/incidents/{incident.pk}/").content.decode()
    assert "could not prove who it is" in page
    assert cast.TITLE in page
    call = ModelCall.objects.get()
    assert timedelta(seconds=call.seconds) < settings.LLM_FIRST_TOKEN_TIMEOUT
