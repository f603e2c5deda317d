"""What a model can do: asked of servers of one's own, read from profiles for hosted ones, and kept."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from copilot.llm import breaker, capabilities, chat_model, providers, standing
from copilot.llm.capabilities import Capabilities
from copilot.llm.purposes import Purpose
from copilot.models import LanguageModel
from tests.copilot.llm.fake_provider import FakeProvider, Script, calls_tools, fails, provider, speaks
from tests.services import free_port

NOW = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
LIST = {"data": [{"id": "other", "meta": {"n_ctx": 1}}, {"id": "fake", "meta": {"n_ctx": 4096}}]}


def calls_a_tool(name: str, arguments: str) -> Script:
    return calls_tools((name, arguments))


def lists(models: object) -> Script:
    body = json.dumps(models)
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return lambda peer: peer.sendall((head + body).encode())


@pytest.fixture
def capable(settings: Settings) -> Iterator[FakeProvider]:
    with provider(speaks('{"number"', ": 7}"), calls_a_tool("report_number", '{"number": 7}'), lists(LIST)) as fake:
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL = fake.url, "fake"
        yield fake


@pytest.mark.django_db
def test_a_server_that_can_is_known_to_call_tools(capable: FakeProvider) -> None:
    assert not breaker.guarded_chat_model(Purpose.CHAT, clock=lambda: NOW).can_call_tools  # type: ignore[union-attr]
    assert capabilities.probe_due(now=NOW) == 1
    (choice,) = providers.all_choices()
    assert capabilities.kept(choice) == Capabilities(True, True, True, 4096, False)
    assert breaker.guarded_chat_model(Purpose.CHAT, clock=lambda: NOW).can_call_tools  # type: ignore[union-attr]
    assert "response_format" in capable.requests[0]
    assert capable.requests[1]["tools"][0]["function"]["name"] == "report_number"
    assert capabilities.probe_due(now=NOW + timedelta(hours=1)) == 0, "known for a day"
    assert "tools, structured output, streaming, reads 4,096 tokens" in standing.standings(now=NOW)[0].summary


@pytest.mark.parametrize(
    "script",
    [
        speaks('{"name": "report_number"', ', "arguments": {"number": 7}}'),
        fails(400),
        calls_a_tool("report_number", "{}"),
    ],
    ids=["as text", "refused", "without its argument"],
)
def test_what_is_no_right_call_is_no_tool_calling(settings: Settings, script: Script) -> None:
    with provider(speaks("seven"), script, lists({})) as fake:
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL = fake.url, "fake"
        (choice,) = providers.all_choices()
        assert capabilities.probe(choice) == Capabilities(False, False, False, None, False)


@pytest.mark.django_db
def test_nobody_there_is_tried_again_later_and_said(settings: Settings) -> None:
    settings.COPILOT_LLM = f"http://127.0.0.1:{free_port()}/v1"
    assert capabilities.probe_due(now=NOW) == 1
    row = LanguageModel.objects.get()
    assert (row.probed_at, "refused the connection" in row.probe_failure) == (None, True)
    assert capabilities.probe_due(now=NOW + timedelta(seconds=30)) == 0
    assert capabilities.probe_due(now=NOW + capabilities.TRIED_AGAIN) == 1


def test_hosted_models_are_described_without_a_call() -> None:
    known = capabilities.described(providers.named_choice("openai:gpt-5"))
    assert (known.tool_calling, known.structured_output, known.price_known) == (True, True, True)
    assert known.context_tokens is not None
    assert known.context_tokens > 100_000
    assert capabilities.described(providers.named_choice("openai:gpt-unheard-of")).tool_calling is None


def test_each_purpose_may_have_its_own_models(settings: Settings) -> None:
    settings.COPILOT_LLM = "local"
    settings.COPILOT_LLM_FOR = {
        "chat": "openai:gpt-5-mini,local",
        "investigation": "anthropic:claude-sonnet-4-5",
        "explain": "",
    }
    assert chat_model.chat_model(Purpose.EXPLAIN).name.startswith("local ")  # type: ignore[union-attr]
    assert chat_model.chat_model(Purpose.CHAT).name.startswith("openai:gpt-5-mini, then local")  # type: ignore[union-attr]
    assert chat_model.chat_model(Purpose.INVESTIGATION).can_call_tools  # type: ignore[union-attr]
    assert len(providers.all_choices()) == 3
    settings.COPILOT_LLM_FOR = {"chat": "none"}
    assert chat_model.chat_model(Purpose.CHAT) is None
