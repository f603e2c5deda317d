"""Fault 48: the provider's key is in no error, traceback, page, export or log, even when the provider sends it back."""

import json
import logging
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from copilot.answers import questions
from copilot.models import AuditEntry, LanguageModel, Message, ModelCall, StreamEvent
from tests import cast
from tests.copilot.api.caller import Caller
from tests.copilot.llm.fake_provider import fails, provider, sends

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "sk-prov-" + "Zq7" * 12
ECHO = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}. Header: Bearer {KEY}", "key": KEY}})


@pytest.mark.parametrize(
    "script",
    [fails(401, ECHO), fails(429, ECHO, Retry_After="1"), fails(500, ECHO), sends(f"data: {KEY} {ECHO}\n\n".encode())],
    ids=["401", "429", "500", "broken stream"],
)
def test_the_key_is_nowhere(script: Any, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    incident = cast.incident()
    cast.investigated(incident)
    with provider(script) as fake:
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL, settings.COPILOT_LLM_API_KEY = fake.url, "fake", KEY
        asked = questions.ask(incident.pk, text="Why?", user=cast.mira(), now=timezone.now())
        model = questions.model_for(asked.answer.pk, clock=timezone.now)
        questions.answer(asked.answer.pk, chat_model=model, now=timezone.now())
        assert fake.requests, "the provider was asked"
        shown = _everything(incident.pk)
    assert KEY not in shown
    assert KEY[:12] not in shown
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert KEY[:12] not in logged


def _everything(incident: int) -> str:
    """Return every row, page and reply that could hold an error."""
    browser = Client(raise_request_exception=False)
    admin = cast.person("ada", "administrator")
    admin.is_staff = admin.is_superuser = True
    admin.save()
    browser.force_login(admin)
    pages = [
        f"/incidents/{incident}/", f"/incidents/{incident}/events/?after=0", "/settings/models/", "/settings/operations/",
        "/settings/audit/", "/metrics", "/health/ready", "/admin/copilot/modelcall/", "/admin/copilot/message/",
        *(f"/admin/copilot/modelcall/{pk}/change/" for pk in ModelCall.objects.values_list("pk", flat=True)),
        *(f"/admin/copilot/message/{pk}/change/" for pk in Message.objects.values_list("pk", flat=True)),
    ]  # fmt: skip
    parts = [browser.get(page).content.decode() for page in pages]
    parts.append(Caller("viewer")("GET", f"/incidents/{incident}/messages").content.decode())
    tables = (Message, ModelCall, LanguageModel, StreamEvent, AuditEntry)
    parts += [str(list(table._default_manager.values())) for table in tables]
    return "\n".join(parts)
