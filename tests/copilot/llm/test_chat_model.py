from collections.abc import Callable, Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from copilot.llm import chat_model, providers
from copilot.llm.failures import ModelBusy, ModelFailed, ModelRefused, ModelTimedOut, ModelUnreachable, StreamCut
from copilot.llm.prompts import Prompt, PromptBudget
from copilot.llm.scripted import ScriptedModel
from tests.copilot.llm.fake_provider import FakeProvider, Script, chunk, fails, provider, sends, speaks, stays_silent
from tests.services import free_port

SCHEMA = {
    "type": "object",
    "properties": {"claims": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 4}},
}
PROMPT = Prompt("You explain.", "What is wrong?", SCHEMA, max_tokens=50)

Serve = Callable[..., FakeProvider]


@pytest.fixture
def serve(settings: Settings) -> Iterator[Serve]:
    """Start a provider with scripts and make it the configured model."""
    opened = []

    def start(*scripts: Script, key: str = "") -> FakeProvider:
        context = provider(*scripts)
        fake = context.__enter__()
        opened.append(context)
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL, settings.COPILOT_LLM_API_KEY = fake.url, "fake", key
        return fake

    yield start
    for context in opened:
        context.__exit__(None, None, None)


def reply(pieces: list[str] | None = None) -> chat_model.Reply:
    model = chat_model.chat_model()
    assert model is not None
    return model.reply(PROMPT, on_text=(pieces if pieces is not None else []).append)


def failure(kind: type[ModelFailed]) -> ModelFailed:
    with pytest.raises(kind) as caught:
        reply()
    return caught.value


def test_streams_text_and_says_what_it_took(serve: Serve) -> None:
    fake = serve(speaks("The pool ", "is full."))
    pieces: list[str] = []
    found = reply(pieces)
    assert found.text == "The pool is full."
    assert pieces == ["The pool ", "is full."]
    assert (found.finish, found.usage.prompt_tokens, found.usage.cached_tokens) == ("stop", 900, 800)
    assert found.usage.output_tokens == 40
    assert found.usage.first_token_seconds is not None
    sent = fake.requests[0]
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert sent["max_tokens"] == 50


def test_a_second_call_in_the_same_process_works_too(serve: Serve) -> None:
    """Provider clients keep connections that belong to an event loop; ours outlives the call."""
    serve(speaks("one"), speaks("two"))
    assert [reply().text, reply().text] == ["one", "two"]


def test_a_refused_connection_is_said_at_once(settings: Settings) -> None:
    port = free_port()
    settings.COPILOT_LLM = f"http://127.0.0.1:{port}/v1"
    found = failure(ModelUnreachable)
    assert str(found) == f"The model server at 127.0.0.1:{port} refused the connection."
    assert found.temporary


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, ModelRefused, "refused the key"),
        (403, ModelRefused, "does not allow"),
        (404, ModelRefused, "does not know this model"),
        (400, ModelRefused, "refused the request (status 400)"),
        (500, ModelUnreachable, "failed by itself (status 500)"),
        (503, ModelUnreachable, "failed by itself (status 503)"),
    ],
)
def test_each_status_has_its_cause(serve: Serve, status: int, kind: type[ModelFailed], says: str) -> None:
    fake = serve(fails(status))
    found = failure(kind)
    assert says in str(found)
    assert len(fake.requests) == 1, "nothing is retried below us"
    assert found.usage is not None
    assert found.usage.error == str(found)


def test_too_many_requests_says_how_long_to_wait(serve: Serve) -> None:
    serve(fails(429, retry_after="7"))
    found = failure(ModelBusy)
    assert "wait 7 s" in str(found)
    assert found.retry_after is not None
    assert found.retry_after.total_seconds() == 7


def test_a_key_never_shows_in_an_error(serve: Serve) -> None:
    serve(fails(400, body='{"error": {"message": "bad key very-secret-key-123"}}'), key="very-secret-key-123")
    assert "very-secret" not in str(failure(ModelRefused))


def test_a_silent_server_is_given_up(serve: Serve, settings: Settings, seconds: Callable[[float], object]) -> None:
    settings.LLM_FIRST_TOKEN_TIMEOUT = settings.LLM_TOTAL_TIMEOUT = seconds(0.3)
    serve(stays_silent())
    assert "sent no text within" in str(failure(ModelTimedOut))


def test_a_stream_that_stops_is_given_up_and_keeps_its_text(
    serve: Serve, settings: Settings, seconds: Callable[[float], object]
) -> None:
    settings.LLM_IDLE_TIMEOUT = seconds(0.3)

    def stops(peer):  # type: ignore[no-untyped-def]
        speaks("The pool ", finish=None)(peer)
        stays_silent()(peer)

    serve(stops)
    found = failure(ModelTimedOut)
    assert "stopped sending for 0.3 s" in str(found)
    assert found.text == "The pool "


def test_a_dripping_stream_ends_at_the_total(
    serve: Serve, settings: Settings, seconds: Callable[[float], object]
) -> None:
    settings.LLM_TOTAL_TIMEOUT = seconds(0.5)
    serve(speaks(*["x"] * 100, pause=0.1))
    assert "needed more than 0.5 s in all" in str(failure(ModelTimedOut))


def test_keep_alives_prove_nothing(serve: Serve, settings: Settings, seconds: Callable[[float], object]) -> None:
    settings.LLM_FIRST_TOKEN_TIMEOUT = settings.LLM_TOTAL_TIMEOUT = seconds(0.4)
    serve(speaks(*[""] * 50, pause=0.05))
    assert "sent no text within" in str(failure(ModelTimedOut))


@pytest.mark.parametrize(
    "raw",
    [
        chunk("The pool "),
        chunk("The pool ") + b'data: {"id": "c1", "choi',
        chunk("The pool ") + 'data: {"id": "é'.encode()[:-1] + b"\n\n",
        chunk("The pool ") + b"data: {not json}\n\n",
    ],
    ids=["between chunks", "mid JSON", "mid UTF-8", "garbage"],
)
def test_a_cut_stream_is_a_cut_not_an_answer(serve: Serve, raw: bytes) -> None:
    serve(sends(raw))
    found = failure(StreamCut)
    assert found.text == "The pool "
    assert found.temporary


def test_what_is_no_chat_reply_is_refused(serve: Serve) -> None:
    serve(lambda peer: peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"))
    assert isinstance(failure(ModelFailed), StreamCut | ModelUnreachable)


def test_an_endless_reply_is_ended(serve: Serve) -> None:
    serve(speaks(*["x" * 5000] * 10))
    assert "more than 20,000 characters" in str(failure(StreamCut))


@pytest.mark.parametrize("named", ["gpt-5", "openai:", "openai", "mistral:large", "http://", "ftp://host/v1", ""])
def test_an_unknown_name_is_told_the_allowed_forms(settings: Settings, named: str) -> None:
    settings.COPILOT_LLM = named
    with pytest.raises(ImproperlyConfigured, match="openai:MODEL, anthropic:MODEL"):
        chat_model.chat_model()


def test_none_means_no_model(settings: Settings) -> None:
    settings.COPILOT_LLM = "none"
    assert chat_model.chat_model() is None
    assert chat_model.status()["available"] is False


@pytest.mark.parametrize("provider_name", ["openai", "anthropic"])
def test_a_missing_key_is_said_without_a_call(settings: Settings, provider_name: str) -> None:
    settings.COPILOT_LLM = f"{provider_name}:some-model"
    setattr(settings, providers.KEY_NAMES[provider_name], "")
    assert providers.KEY_NAMES[provider_name] in str(failure(ModelRefused))
    assert providers.KEY_NAMES[provider_name] in str(chat_model.status()["detail"])


def test_hosted_providers_get_a_schema_they_accept() -> None:
    hosted = providers._options(providers.Choice("openai", "m", key="k"), PROMPT)["extra_body"]
    assert "maxItems" not in str(hosted["response_format"])
    assert "maxLength" not in str(hosted["response_format"])
    ours = providers._options(providers.Choice("local", "m", "http://127.0.0.1:1/v1"), PROMPT)["extra_body"]
    assert ours["response_format"]["json_schema"]["schema"] == SCHEMA


def test_status_asks_a_server_for_its_models(serve: Serve) -> None:
    serve(lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"))
    assert chat_model.status()["available"] is True


def test_status_says_why_a_server_is_not_available(settings: Settings) -> None:
    settings.COPILOT_LLM = f"http://127.0.0.1:{free_port()}/v1"
    found = chat_model.status()
    assert found["available"] is False
    assert "does not answer" in str(found["detail"])


def test_the_next_model_is_asked_when_one_fails_and_both_calls_are_kept(serve: Serve, settings: Settings) -> None:
    serve(speaks("The pool ", "is full."))
    settings.COPILOT_LLM = f"http://127.0.0.1:{free_port()}/v1,{settings.COPILOT_LLM}"
    found = reply([])
    assert found.text == "The pool is full."
    (failed,) = found.failed
    assert "refused the connection" in failed.error
    assert chat_model.status()["available"] is True
    assert "does not answer" in str(chat_model.status()["detail"])


def test_what_one_model_has_begun_is_not_begun_again_by_another() -> None:
    def cut() -> StreamCut:
        return StreamCut("cut")

    first, second = ScriptedModel([["The pool ", cut()]]), ScriptedModel([["never asked"]])
    with pytest.raises(StreamCut):
        chat_model.FirstThatAnswers((first, second)).reply(PROMPT, on_text=lambda text: None)
    assert second.prompts == []


def test_when_all_fail_the_last_failure_is_told_and_every_call_is_kept() -> None:
    models = tuple(ScriptedModel([[ModelFailed(f"no {number}")]], name=str(number)) for number in (1, 2, 3))
    with pytest.raises(ModelFailed, match="no 3") as raised:
        chat_model.FirstThatAnswers(models).reply(PROMPT, on_text=lambda text: None)
    assert [call.model for call in raised.value.before] == ["1", "2"]


def test_nothing_is_traced_elsewhere() -> None:
    from langsmith.utils import tracing_is_enabled

    assert tracing_is_enabled() is False


@pytest.mark.parametrize(
    ("named", "tail"),
    [("http://127.0.0.1:9/v1", 115), ("http://localhost:9/v1", 115), ("http://example.com/v1", 330), ("none", 330)],
)
def test_a_model_on_this_machine_gets_a_short_question(settings: Settings, named: str, tail: int) -> None:
    settings.COPILOT_LLM, settings.LLM_PROMPT_TOKENS = named, 9000
    assert chat_model.prompt_budget() == PromptBudget(whole=2000, tail=tail)
