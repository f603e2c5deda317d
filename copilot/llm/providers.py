"""Reaches each provider through LangChain; a provider's package is imported when it is first used."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from importlib import import_module
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import httpx2
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from copilot.llm.failures import ModelFailed, ModelRefused, ModelUnreachable, StreamCut, explain_status
from copilot.llm.plain_text import said_by_model
from copilot.llm.prompts import Prompt
from copilot.llm.purposes import Purpose, named_for
from copilot.llm.timed_stream import Patience
from copilot.llm.tool_calling import Exchange, Tool, messages

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessageChunk

FORMS = "openai:MODEL, anthropic:MODEL, ollama:MODEL, http://HOST:PORT/v1 (an OpenAI-compatible server), local, several of these with commas, or none"
KEY_NAMES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
LONGEST_RETRY_AFTER = timedelta(minutes=2)
CONNECTED_SECONDS = 5.0  # to reach a server; how long a reply may take is another matter
CONTEXT_TOKENS = 4096  # for Ollama, whose own default may be shorter than a prompt
BOUNDS = ("minItems", "maxItems", "maxLength")
HOSTED_OUTPUT_TOKENS = 2000  # a model that thinks before it writes spends most of these on thinking


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and where it is. `url` is empty for a provider's own address."""

    provider: str  # openai, anthropic, ollama, url or local
    model: str
    url: str = ""
    key: str = ""

    @property
    def name(self) -> str:
        """Return what pages show."""
        return {"url": f"{self.model} at {self.host}", "local": f"local {self.model}"}.get(
            self.provider, f"{self.provider}:{self.model}"
        )

    @property
    def host(self) -> str:
        """Return host and port of the URL."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def where(self) -> str:
        """Return what error messages call it, at the start of a sentence."""
        if self.provider in ("url", "local"):
            return f"The model server at {self.host}"
        return (
            f"Ollama at {self.host}"
            if self.provider == "ollama"
            else {"openai": "OpenAI", "anthropic": "Anthropic"}[self.provider]
        )

    @property
    def is_on_this_machine(self) -> bool:
        """Return whether it runs here: then it shares our cores, and no proxy stands between."""
        host = urlsplit(self.url).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def missing_key(self) -> str:
        """Return what to do about a key that is needed and not there, "" when all is well."""
        name = KEY_NAMES.get(self.provider)
        return f"{self.where} needs a key: set {name}, then restart the workers." if name and not self.key else ""


def choose(purpose: Purpose) -> tuple[Choice, ...]:
    """Return what the settings name for a purpose, in the order in which they are asked; none for "none". Raises ImproperlyConfigured."""
    named = named_for(purpose)
    return () if named == "none" else tuple(named_choice(each.strip()) for each in named.split(","))


def all_choices() -> tuple[Choice, ...]:
    """Return every model that any purpose may ask, each once. Raises ImproperlyConfigured."""
    return tuple(dict.fromkeys(choice for purpose in Purpose for choice in choose(purpose)))


def named_choice(named: str) -> Choice:
    """Return the model with this name in the form of COPILOT_LLM. Raises ImproperlyConfigured, which names the allowed forms."""
    if named == "local":
        return Choice("local", settings.LOCAL_LLM_FILE.stem.removesuffix("-q4_k_m"), settings.LOCAL_LLM_URL)
    if urlsplit(named).scheme in ("http", "https"):
        if not urlsplit(named).hostname:
            raise ImproperlyConfigured(f"COPILOT_LLM={named!r} names no host. Allowed: {FORMS}.")
        return Choice("url", settings.COPILOT_LLM_MODEL or "default", named.rstrip("/"), settings.COPILOT_LLM_API_KEY)
    provider, _, model = named.partition(":")
    if provider in KEY_NAMES and model:
        return Choice(provider, model, key=getattr(settings, KEY_NAMES[provider]))
    if provider == "ollama" and model:
        return Choice(provider, model, settings.OLLAMA_URL.rstrip("/"))
    raise ImproperlyConfigured(f"COPILOT_LLM={named!r} is not known. Allowed: {FORMS}.")


def load(choice: Choice) -> None:
    """Import the provider's package, which takes seconds on a busy machine: before the first question rather than during it."""
    import_module(
        {"anthropic": "langchain_anthropic", "ollama": "langchain_ollama"}.get(choice.provider, "langchain_openai")
    )


def profile(choice: Choice) -> Mapping[str, Any]:
    """Return LangChain's profile of a hosted model (`tool_calling`, `structured_output`, `max_input_tokens`, …), empty when it has none."""
    if choice.provider not in KEY_NAMES:
        return {}
    # The client wants a key to be made; the profile is looked up by name alone.
    found = _client(replace(choice, key=choice.key or "none"), CONNECTED_SECONDS).profile
    return dict(found or {})


def stream(
    choice: Choice,
    prompt: Prompt,
    *,
    patience: Patience,
    tools: Sequence[Tool] = (),
    exchanges: Sequence[Exchange] = (),
    may_call: bool = True,
) -> Callable[[], "AsyncIterator[BaseMessageChunk]"]:
    """Return what starts the streamed reply. Raises ModelRefused when a key is missing."""
    if choice.missing_key:
        raise ModelRefused(choice.missing_key)
    client = _client(choice, patience.total.total_seconds())
    model: Any = _with_tools(choice, client, tools, may_call=may_call) if tools else client
    sent = [_system(choice, prompt), ("human", prompt.user), *messages(exchanges)]
    options = _options(choice, prompt)
    return lambda: model.astream(sent, **options)


def _with_tools(choice: Choice, client: Any, tools: Sequence[Tool], *, may_call: bool) -> Any:
    """Return the client with the tools. Where earlier turns have calls the tools stay named, even when none may be called any more."""
    if may_call:
        return client.bind_tools([dict(tool) for tool in tools])
    if choice.provider == "ollama":  # knows no way to forbid them
        return client
    none: Any = {"type": "none"} if choice.provider == "anthropic" else "none"
    return client.bind_tools([dict(tool) for tool in tools], tool_choice=none)


def _system(choice: Choice, prompt: Prompt) -> Any:
    """Return the stable part. Anthropic caches what is marked; OpenAI and our own servers any prefix that they have seen."""
    if choice.provider != "anthropic":
        return ("system", prompt.system)
    return ("system", [{"type": "text", "text": prompt.system, "cache_control": {"type": "ephemeral"}}])


def _options(choice: Choice, prompt: Prompt) -> dict[str, Any]:
    """Return the call's options: the schema through the provider's own mechanism, and the limit on the output."""
    constrained = {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": _portable(choice, prompt.schema)},
    }
    schema = {"response_format": constrained} if prompt.schema else {}
    if choice.provider == "anthropic":
        return {"max_tokens": HOSTED_OUTPUT_TOKENS, **schema}
    if choice.provider == "ollama":
        return {"options": {"num_ctx": CONTEXT_TOKENS, "num_predict": prompt.max_tokens, "temperature": 0.1}, **schema}
    # In `extra_body` LangChain's client leaves it alone; as an argument it would parse the reply a second time.
    limit = (
        {"max_completion_tokens": HOSTED_OUTPUT_TOKENS}
        if choice.provider == "openai"
        else {"max_tokens": prompt.max_tokens, "temperature": 0.1}
    )
    # Calls with the same key go to the same machine, which has the prefix in its cache.
    same = {"prompt_cache_key": prompt.prefix_key} if choice.provider == "openai" else {}
    return {"extra_body": {**schema, **limit, **same}}


def _portable(choice: Choice, schema: Mapping[str, Any] | None) -> Any:
    """Return the schema without the bounds on length that hosted providers refuse; our reader bounds the claims anyway."""
    if choice.provider in ("local", "url", "ollama"):
        return schema

    def without(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {key: without(value) for key, value in node.items() if key not in BOUNDS}
        return [without(value) for value in node] if isinstance(node, list) else node

    return without(schema)


def errors(choice: Choice) -> tuple[type[BaseException], ...]:
    """Return what LangChain, the provider's client and the HTTP libraries below raise; ValueError for a reply that is no JSON or no UTF-8."""
    from langchain_core.exceptions import LangChainException

    common = (LangChainException, httpx.HTTPError, httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError)
    if choice.provider == "anthropic":
        from anthropic import AnthropicError

        return (*common, AnthropicError)
    if choice.provider == "ollama":
        from ollama import ResponseError

        return (*common, ResponseError)
    from openai import OpenAIError

    return (*common, OpenAIError)


@lru_cache(maxsize=8)
def _client(choice: Choice, timeout: float) -> "BaseChatModel":
    """Return LangChain's client. One a process: it keeps its connections. Its own retries are off, ours know what they are worth."""
    if choice.provider == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=choice.model, api_key=choice.key, max_retries=0, timeout=timeout)  # type: ignore[call-arg, arg-type]
    if choice.provider == "ollama":
        from langchain_ollama import ChatOllama

        client = {"timeout": timeout, "trust_env": not choice.is_on_this_machine}
        return ChatOllama(model=choice.model, base_url=choice.url, client_kwargs=client)
    from langchain_openai import ChatOpenAI

    # A proxy of the environment has no business between us and this machine.
    own = (
        {"http_async_client": httpx2.AsyncClient(trust_env=False, timeout=timeout)} if choice.is_on_this_machine else {}
    )
    return ChatOpenAI(
        model=choice.model,
        base_url=choice.url or None,
        api_key=choice.key or "none",  # type: ignore[arg-type]
        max_retries=0,
        timeout=timeout,
        stream_usage=True,
        use_responses_api=False,
        stream_chunk_timeout=None,  # our own patience decides
        **own,  # type: ignore[arg-type]
    )


def explain(error: BaseException, *, choice: Choice, streaming: bool) -> ModelFailed:
    """Return the failure for what a provider raised. Provider text appears only where it helps, cleaned and without the key."""
    chain = list(_causes(error))
    for cause in chain:
        code = getattr(cause, "status_code", None)
        if isinstance(code, int) and code >= 400:
            return explain_status(
                code, where=choice.where, detail=_detail(cause, choice), retry_after=_retry_after(cause)
            )
    if streaming:
        return StreamCut(f"The connection to {choice.where} broke in the middle of the reply ({type(error).__name__}).")
    if any(isinstance(cause, ssl.SSLError) for cause in chain) or "CERTIFICATE" in str(chain[-1]).upper():
        return ModelRefused(f"{choice.where} could not prove who it is: {_detail(chain[-1], choice)}")
    if any(isinstance(cause, ConnectionRefusedError) or "refused" in str(cause).lower() for cause in chain):
        return ModelUnreachable(f"{choice.where} refused the connection.")
    if any(isinstance(cause, httpx.TransportError | httpx2.TransportError | OSError) for cause in chain):
        return ModelUnreachable(
            f"{choice.where} could not be reached: {_detail(chain[-1], choice) or type(error).__name__}"
        )
    return StreamCut(f"{choice.where} did not send a chat reply ({type(error).__name__}: {_detail(error, choice)}).")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _detail(error: BaseException, choice: Choice) -> str:
    """Return what an error says. The key goes first: a shortened or cleaned one would not be found any more."""
    text = str(error).replace(choice.key, "[key]") if choice.key else str(error)
    return said_by_model(text, limit=200)


def _retry_after(error: BaseException) -> timedelta | None:
    response = getattr(error, "response", None)
    value = response.headers.get("retry-after", "") if response is not None else ""
    return min(timedelta(seconds=int(value)), LONGEST_RETRY_AFTER) if value.isdigit() else None
