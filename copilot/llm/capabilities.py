"""What each model can do: told by LangChain's model profiles for hosted ones, found out by two short calls for the others; kept as rows."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from django.db.models import Q

from copilot.llm import providers
from copilot.llm.failures import ModelFailed, explain_timeout
from copilot.llm.prompts import Prompt
from copilot.llm.timed_stream import Patience, StreamTimeout, read
from copilot.llm.usage import price_is_known
from copilot.models import LanguageModel

KEPT = timedelta(days=1)  # after that a server may serve another model under the same name
TRIED_AGAIN = timedelta(minutes=2)  # after a probe that found nobody
PATIENCE = Patience(first=timedelta(seconds=60), idle=timedelta(seconds=20), total=timedelta(seconds=90))
LISTED_SECONDS = 2.0
NUMBER = 7
TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "report_number",
        "description": "Report a number.",
        "parameters": {
            "type": "object",
            "properties": {"number": {"type": "integer"}},
            "required": ["number"],
            "additionalProperties": False,
        },
    },
}
_TOOL_PROMPT = Prompt("You call the tool that you are given.", f"Report the number {NUMBER}.", None, max_tokens=60)
_SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}
_SCHEMA_PROMPT = Prompt("You reply with JSON.", f"Give the number {NUMBER}.", _SCHEMA, max_tokens=40)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do; None where nobody has said or found out. `context_tokens` is how much it can read at once."""

    tool_calling: bool | None = None
    structured_output: bool | None = None
    streaming: bool | None = None
    context_tokens: int | None = None
    price_known: bool = False


def described(choice: providers.Choice) -> Capabilities:
    """Return what is known without a call: a hosted model's profile; of a server of one's own only the price."""
    known = providers.profile(choice)
    hosted = choice.provider in providers.KEY_NAMES
    return Capabilities(
        tool_calling=known.get("tool_calling"),
        structured_output=known.get("structured_output"),
        streaming=True if hosted else None,
        context_tokens=known.get("max_input_tokens"),
        price_known=price_is_known(choice.name),
    )


def kept(choice: providers.Choice) -> Capabilities:
    """Return what the last probe found, else what is known without one."""
    row = LanguageModel.objects.filter(name=choice.name).exclude(probed_at=None).first()
    return of_row(row) if row else described(choice)


def of_row(row: LanguageModel) -> Capabilities:
    """Return what a model's row says it can do; without a probe that is nothing but whether its price is known."""
    return Capabilities(
        row.tool_calling, row.structured_output, row.streaming, row.context_tokens, price_is_known(row.name)
    )


def probe(choice: providers.Choice) -> Capabilities:
    """Ask a server of one's own what it can do, with two calls of some 100 tokens. Raises ModelFailed when it does not answer."""
    if choice.provider in providers.KEY_NAMES:
        return described(choice)
    words = _reply(choice, _SCHEMA_PROMPT)
    called = _reply(choice, _TOOL_PROMPT, tool=TOOL, may_refuse=True)
    return Capabilities(
        tool_calling=any(
            call["name"] == "report_number" and call["args"] == {"number": NUMBER} for call in called.calls
        ),
        structured_output=_is_the_number(words.text),
        streaming=words.pieces > 1,
        context_tokens=providers.CONTEXT_TOKENS if choice.provider == "ollama" else _context_tokens(choice),
        price_known=price_is_known(choice.name),
    )


def probe_due(*, now: datetime) -> int:
    """Probe every configured model of which nothing fresh is known; keep what was found, or why not. Return how many were asked."""
    asked = 0
    for choice in providers.all_choices():
        LanguageModel.objects.get_or_create(name=choice.name)
        stale = Q(probed_at=None) | Q(probed_at__lt=now - KEPT)
        claimed = LanguageModel.objects.filter(
            stale, Q(probe_again_at=None) | Q(probe_again_at__lte=now), name=choice.name
        ).update(probe_again_at=now + TRIED_AGAIN)
        if claimed:
            asked += 1
            _keep(choice, now=now)
    return asked


def _keep(choice: providers.Choice, *, now: datetime) -> None:
    found: dict[str, Any]
    try:
        if choice.missing_key:
            raise ModelFailed(choice.missing_key)
        found = {**asdict(probe(choice)), "probed_at": now, "probe_again_at": None, "probe_failure": ""}
    except ModelFailed as failure:
        found = {"probe_failure": str(failure)}
    LanguageModel.objects.filter(name=choice.name).update(**found)


@dataclass(frozen=True, slots=True)
class _Probed:
    text: str
    pieces: int
    calls: Iterable[Mapping[str, Any]]


def _reply(
    choice: providers.Choice, prompt: Prompt, *, tool: Mapping[str, Any] | None = None, may_refuse: bool = False
) -> _Probed:
    """Return what came. A server that refuses a request with a tool says by that that it knows none."""
    whole, pieces = None, 0
    try:
        start = providers.stream(choice, prompt, patience=PATIENCE, tools=(tool,) if tool else ())
        for chunk in read(
            start, patience=PATIENCE, counts=lambda chunk: bool(chunk.content or chunk.additional_kwargs)
        ):
            pieces += bool(chunk.text)
            whole = chunk if whole is None else whole + chunk
    except StreamTimeout as timeout:
        raise explain_timeout(timeout, where=choice.where) from timeout
    except providers.errors(choice) as error:
        failure = providers.explain(error, choice=choice, streaming=pieces > 0)
        if may_refuse and not failure.temporary:
            return _Probed("", 0, ())
        raise failure from error
    return _Probed(whole.text if whole else "", pieces, getattr(whole, "tool_calls", ()))


def _is_the_number(text: str) -> bool:
    try:
        said = json.loads(text)
    except ValueError:
        return False
    return isinstance(said, dict) and set(said) == {"number"} and isinstance(said["number"], int)


def _context_tokens(choice: providers.Choice) -> int | None:
    """Return the context length that the server's list of models names: llama.cpp's `meta.n_ctx`, vLLM's `max_model_len`."""
    headers = {"Authorization": f"Bearer {choice.key}"} if choice.key else {}
    try:
        answer = httpx.get(
            f"{choice.url}/models", timeout=LISTED_SECONDS, headers=headers, trust_env=not choice.is_on_this_machine
        )
        listed = answer.json()["data"]
        served = next((model for model in listed if model["id"] == choice.model), listed[0])
        size = served.get("max_model_len") or served.get("meta", {}).get("n_ctx")
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        return None  # not every server lists its models like this; the length stays unknown
    return size if isinstance(size, int) else None
