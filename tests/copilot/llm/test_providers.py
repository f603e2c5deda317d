"""The other providers' own protocols, on the loopback."""

import ssl

import httpx
import pytest
from pytest_django.fixtures import Settings

from copilot.llm import chat_model, providers
from copilot.llm.failures import ModelRefused, ModelUnreachable
from copilot.llm.prompts import Prompt
from tests.copilot.llm.fake_provider import fails, provider, speaks_anthropic, speaks_ollama
from tests.services import free_port

SCHEMA = {
    "type": "object",
    "properties": {"claims": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 4}},
    "required": ["claims"],
    "additionalProperties": False,
}
PROMPT = Prompt("You explain.", "What is wrong?", SCHEMA, max_tokens=50)


def reply(pieces: list[str]) -> chat_model.Reply:
    model = chat_model.chat_model()
    assert model is not None
    return model.reply(PROMPT, on_text=pieces.append)


@pytest.fixture(autouse=True)
def fresh_clients() -> None:
    providers._client.cache_clear()


def test_ollama_streams_with_its_own_schema_option(settings: Settings) -> None:
    pieces: list[str] = []
    with provider(speaks_ollama("The pool ", "is full.")) as fake:
        settings.COPILOT_LLM, settings.OLLAMA_URL = "ollama:m", fake.url.removesuffix("/v1")
        found = reply(pieces)
    assert (found.text, found.finish, pieces) == ("The pool is full.", "stop", ["The pool ", "is full."])
    assert (found.usage.model, found.usage.prompt_tokens, found.usage.output_tokens) == ("ollama:m", 900, 40)
    assert fake.requests[0]["format"] == SCHEMA
    assert fake.requests[0]["options"]["num_predict"] == 50


def test_ollama_that_is_down_or_lacks_the_model_says_so(settings: Settings) -> None:
    settings.COPILOT_LLM, settings.OLLAMA_URL = "ollama:m", f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ModelUnreachable, match=r"^Ollama at 127.0.0.1:\d+ refused the connection"):
        reply([])
    with provider(fails(404, '{"error": "model m not found"}')) as fake:
        settings.OLLAMA_URL = fake.url.removesuffix("/v1")
        with pytest.raises(ModelRefused, match="does not know this model"):
            reply([])


def test_anthropic_streams_with_its_own_schema_option(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[str] = []
    with provider(speaks_anthropic("The pool ", "is full.")) as fake:
        monkeypatch.setenv("ANTHROPIC_API_URL", fake.url.removesuffix("/v1"))
        settings.COPILOT_LLM, settings.ANTHROPIC_API_KEY = "anthropic:claude-haiku-4-5", "k"
        found = reply(pieces)
    assert (found.text, found.finish, pieces) == ("The pool is full.", "stop", ["The pool ", "is full."])
    assert (found.usage.prompt_tokens, found.usage.cached_tokens, found.usage.output_tokens) == (900, 800, 40)
    constrained = fake.requests[0]["output_config"]["format"]["schema"]
    assert constrained["required"] == ["claims"]
    assert fake.requests[0]["system"][0]["cache_control"] == {"type": "ephemeral"}, "the stable part is cached"
    assert "maxItems" not in str(constrained)


def test_openai_is_asked_without_what_only_our_own_server_takes(settings: Settings) -> None:
    settings.COPILOT_LLM, settings.OPENAI_API_KEY = "openai:gpt-5", "k"
    (choice,) = providers.all_choices()
    assert choice is not None
    options = providers._options(choice, PROMPT)["extra_body"]
    assert set(options) == {"response_format", "max_completion_tokens", "prompt_cache_key"}
    assert (choice.name, choice.where) == ("openai:gpt-5", "OpenAI")


@pytest.mark.parametrize("before", [0, 150, 185, 195])
def test_a_key_that_the_provider_repeats_is_not_passed_on(before: int) -> None:
    key = "sk-test-" + "q7Zr" * 8
    choice = providers.Choice("url", "m", url="http://model.invalid/v1", key=key)
    for error in (
        httpx.ConnectError("x" * before + key),
        ValueError("x" * before + key),
        ssl.SSLError("x" * before + key),
    ):
        said = str(providers.explain(error, choice=choice, streaming=False))
        assert key[:9] not in said, f"{type(error).__name__}: {said}"
