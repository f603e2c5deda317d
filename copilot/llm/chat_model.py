"""The language models that the settings name, behind one call: a prompt in, streamed text out, every failure with its cause."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import httpx
from django.conf import settings

from copilot.llm import providers
from copilot.llm.failures import ModelFailed, StreamCut, explain_timeout
from copilot.llm.prompts import Prompt, PromptBudget
from copilot.llm.purposes import Purpose
from copilot.llm.timed_stream import Patience, StreamTimeout, read
from copilot.llm.tool_calling import MOST_ARGUMENT_CHARACTERS, CallReader, Conversation, Turn
from copilot.llm.usage import CallUsage

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata


class Described(Protocol):
    """What is known of a model's abilities."""

    @property
    def tool_calling(self) -> bool | None:
        """Whether it calls tools natively; None when nobody knows."""


Describe = Callable[[providers.Choice], Described]
MAX_REPLY_CHARACTERS = 20_000
# A model that reads the prompt on this machine's own cores is silent meanwhile; on busy cores for longer.
LOCAL_PATIENCE = 3
STATUS_SECONDS = 1.5
MAX_PROMPT_TOKENS = 2000
TAIL_TOKENS = 330
LOCAL_TAIL_TOKENS = 115  # two idle cores read them in less than 3 s


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply. `finish` is "stop", "length" (cut at max_tokens) or "refused"; `failed` are calls of models asked before."""

    text: str
    finish: str
    usage: CallUsage
    failed: tuple[CallUsage, ...] = ()


class ChatModel(Protocol):
    """A model that answers a prompt."""

    @property
    def name(self) -> str:
        """What pages and the record of calls show: "local qwen2.5-coder-1.5b-instruct", "openai:gpt-5"."""

    @property
    def can_call_tools(self) -> bool:
        """Whether it is known to call tools natively; others get the deterministic plan."""

    @property
    def budget(self) -> PromptBudget:
        """How it is prompted: tokens and version."""

    def reply(self, prompt: Prompt, *, on_text: Callable[[str], None]) -> Reply:
        """Answer, handing each piece of text to `on_text` as it comes. Raises ModelFailed."""

    def turn(self, conversation: Conversation, *, on_text: Callable[[str], None], watch: Callable[[], None]) -> Turn:
        """Take the next turn of a conversation with tools. Raises ModelFailed, and what `watch` raises, which is called each second."""

    @property
    def others(self) -> "ChatModel | None":
        """What is asked when the first model fails; None without any."""


def chat_model(purpose: Purpose = Purpose.CHAT) -> ChatModel | None:
    """Return the model for a purpose, None for "none"; no database is asked. Raises ImproperlyConfigured, which names the allowed forms."""
    return in_order(chat_models(purpose))


def chat_models(purpose: Purpose, *, describe: Describe | None = None) -> "list[LangChainModel]":
    """Return the models for a purpose in the order in which they are asked; `describe` tells what each can do."""
    return [model_of(choice, describe=describe) for choice in providers.choose(purpose)]


def model_of(choice: providers.Choice, *, describe: Describe | None = None) -> "LangChainModel":
    """Return one model."""
    calls = describe(choice).tool_calling if describe else providers.profile(choice).get("tool_calling")
    return LangChainModel(choice, _patience(choice), budget_of((choice,)), can_call_tools=calls is True)


def in_order(models: Sequence[ChatModel]) -> ChatModel | None:
    """Return the models as one: the next is asked when one fails before it has written anything. None without any."""
    return FirstThatAnswers(tuple(models)) if len(models) > 1 else next(iter(models), None)


def load() -> None:
    """Import what the configured models need, so that the first answer does not wait for it."""
    for choice in providers.all_choices():
        providers.load(choice)


def status(purpose: Purpose = Purpose.CHAT) -> dict[str, object]:
    """Return {"name", "available", "detail"} of the model that answers now without spending a token; `detail` says why others do not.

    A server of our own or of a URL is asked for its list of models, with a time-out of 1.5 s; of a hosted one only the key is looked at.
    """
    choices = providers.choose(purpose)
    if not choices:
        return {"name": "none", "available": False, "detail": "COPILOT_LLM=none: answers are composed by code alone."}
    whys: list[str] = []
    for choice in choices:
        why = choice.missing_key or (_probe(choice) if choice.url else "")
        if not why:
            return {"name": choice.name, "available": True, "detail": " ".join(whys)}
        whys.append(why)
    return {"name": choices[0].name, "available": False, "detail": " ".join(whys)}


def _probe(choice: providers.Choice) -> str:
    path = "/api/tags" if choice.provider == "ollama" else "/models"
    headers = {"Authorization": f"Bearer {choice.key}"} if choice.key else {}
    try:
        answer = httpx.get(
            choice.url + path, timeout=STATUS_SECONDS, headers=headers, trust_env=not choice.is_on_this_machine
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{choice.where} does not answer: {error or type(error).__name__}"
    return "" if answer.status_code < 400 else f"{choice.where} answers with status {answer.status_code}."


def _patience(choice: providers.Choice) -> Patience:
    first, total = settings.LLM_FIRST_TOKEN_TIMEOUT, settings.LLM_TOTAL_TIMEOUT
    if choice.is_on_this_machine:
        first = min(first * LOCAL_PATIENCE, total)
    return Patience(first=first, idle=settings.LLM_IDLE_TIMEOUT, total=total)


@dataclass
class _Progress:
    """What came so far."""

    name: str
    begun: float
    prompt_version: str = ""
    text: str = ""
    finish: str = ""
    first_text_after: float | None = None
    tokens: "UsageMetadata | None" = None
    calls: CallReader = field(default_factory=CallReader)

    def take(self, chunk: Any) -> str:
        """Add a chunk and return its text."""
        piece: str = chunk.text
        if piece and self.first_text_after is None:
            self.first_text_after = time.monotonic() - self.begun
        self.text += piece
        self.calls.take(getattr(chunk, "tool_call_chunks", ()))
        if chunk.usage_metadata:
            # Here, since processes that ask no model import this module, too.
            from langchain_core.messages.ai import add_usage

            self.tokens = add_usage(self.tokens, chunk.usage_metadata)
        said = chunk.response_metadata
        self.finish = said.get("finish_reason") or said.get("stop_reason") or said.get("done_reason") or self.finish
        if chunk.additional_kwargs.get("refusal"):
            self.finish = "refusal"
        return piece

    def usage(self) -> CallUsage:
        tokens: Mapping[str, Any] = self.tokens or {}
        return CallUsage(
            model=self.name,
            prompt_version=self.prompt_version,
            prompt_tokens=tokens.get("input_tokens", 0),
            cached_tokens=tokens.get("input_token_details", {}).get("cache_read", 0) or 0,
            output_tokens=tokens.get("output_tokens", 0),
            first_token_seconds=self.first_text_after,
            seconds=time.monotonic() - self.begun,
        )


@dataclass(frozen=True)
class LangChainModel:
    """A model reached through LangChain."""

    choice: providers.Choice
    patience: Patience
    budget: PromptBudget
    can_call_tools: bool = False

    @property
    def name(self) -> str:
        """Return what pages show."""
        return self.choice.name

    def reply(self, prompt: Prompt, *, on_text: Callable[[str], None]) -> Reply:
        """Answer a prompt; see `ChatModel`. Nothing is retried here: the caller knows what a retry is worth."""
        progress = self._read(Conversation(prompt, (), ()), on_text, watch=None)
        return Reply(text=progress.text, finish=_finish(progress.finish), usage=progress.usage())

    def turn(self, conversation: Conversation, *, on_text: Callable[[str], None], watch: Callable[[], None]) -> Turn:
        """Take a turn; see `ChatModel`. Calls are returned only of a turn that ended as the provider ends one."""
        progress = self._read(conversation, on_text, watch=watch)
        return Turn(progress.text, progress.calls.calls, _finish(progress.finish), progress.usage())

    @property
    def others(self) -> None:
        """Return nobody."""
        return None

    def _read(
        self, conversation: Conversation, on_text: Callable[[str], None], *, watch: Callable[[], None] | None
    ) -> _Progress:
        progress = _Progress(self.name, begun=time.monotonic(), prompt_version=conversation.prompt.version)
        try:
            self._follow(conversation, progress, on_text, watch=watch)
        except ModelFailed as failure:
            failure.usage = progress.usage().failed(str(failure))
            failure.text = progress.text
            raise
        return progress

    def _follow(
        self,
        conversation: Conversation,
        progress: _Progress,
        on_text: Callable[[str], None],
        *,
        watch: Callable[[], None] | None,
    ) -> None:
        where = self.choice.where
        try:
            start = providers.stream(
                self.choice,
                conversation.prompt,
                patience=self.patience,
                tools=conversation.tools,
                exchanges=conversation.exchanges,
                may_call=conversation.may_call,
            )
            for chunk in read(start, patience=self.patience, counts=_says_something, watch=watch):
                if piece := progress.take(chunk):
                    on_text(piece)
                if progress.calls.size > MOST_ARGUMENT_CHARACTERS:
                    raise StreamCut(
                        f"{where} sent calls of more than {MOST_ARGUMENT_CHARACTERS:,} characters; the call was ended."
                    )
                if len(progress.text) > MAX_REPLY_CHARACTERS:
                    raise StreamCut(f"{where} sent more than {MAX_REPLY_CHARACTERS:,} characters; the call was ended.")
        except StreamTimeout as timeout:
            raise explain_timeout(timeout, where=where) from timeout
        except providers.errors(self.choice) as error:
            raise providers.explain(error, choice=self.choice, streaming=bool(progress.text)) from error
        if not progress.finish:
            raise StreamCut(f"The connection to {where} ended in the middle of the reply.")


@dataclass(frozen=True)
class FirstThatAnswers:
    """Several models in order: the next one is asked when one fails before it has written anything."""

    models: tuple[ChatModel, ...]

    @property
    def name(self) -> str:
        """Return the names in order."""
        return ", then ".join(model.name for model in self.models)

    @property
    def can_call_tools(self) -> bool:
        """Return whether the first one can: a conversation with tools stays with one model."""
        return self.models[0].can_call_tools

    @property
    def budget(self) -> PromptBudget:
        """Return the smallest: a prompt is written once for all."""
        return min((model.budget for model in self.models), key=lambda budget: budget.tail)

    @property
    def others(self) -> ChatModel | None:
        """Return the models behind the first."""
        return in_order(self.models[1:])

    def turn(self, conversation: Conversation, *, on_text: Callable[[str], None], watch: Callable[[], None]) -> Turn:
        """Take a turn with the first model: a conversation with tools stays with one."""
        return self.models[0].turn(conversation, on_text=on_text, watch=watch)

    def reply(self, prompt: Prompt, *, on_text: Callable[[str], None]) -> Reply:
        """Answer a prompt; see `ChatModel`. What a model has begun to write is not begun again by another."""
        failed: list[CallUsage] = []
        *others, last = self.models
        for model in others:
            try:
                return replace(model.reply(prompt, on_text=on_text), failed=tuple(failed))
            except ModelFailed as failure:
                if failure.text:
                    raise
                if failure.usage is not None:  # else nobody was called: the model rests
                    failed.append(failure.usage)
        try:
            return replace(last.reply(prompt, on_text=on_text), failed=tuple(failed))
        except ModelFailed as failure:
            failure.before = tuple(failed)
            raise


def _says_something(chunk: Any) -> bool:
    """Return whether a chunk proves that the model works: text, or a piece of a call."""
    return bool(chunk.text or getattr(chunk, "tool_call_chunks", ()))


def _finish(reason: str) -> str:
    if reason in ("length", "max_tokens", "model_context_window_exceeded"):
        return "length"
    return "refused" if reason in ("refusal", "content_filter") else "stop"


def prompt_budget(purpose: Purpose = Purpose.CHAT) -> PromptBudget:
    """Return how the models for a purpose are prompted."""
    return budget_of(providers.choose(purpose))


def budget_of(choices: Sequence[providers.Choice]) -> PromptBudget:
    """Return how many tokens a prompt may have: COPILOT_LLM_PROMPT_TOKENS, never more than 2,000, and fewer after the cached part
    for a model on this machine, which reads some 50 a second."""
    is_here = any(choice.is_on_this_machine for choice in choices)
    return PromptBudget(
        whole=min(settings.LLM_PROMPT_TOKENS, MAX_PROMPT_TOKENS),
        tail=LOCAL_TAIL_TOKENS if is_here else TAIL_TOKENS,
        version=settings.LLM_PROMPT_VERSION,
    )


def lease(attempt_budget: int = 2) -> timedelta:
    """Return how long an answer may take with its retry before another worker may take it over."""
    return timedelta(seconds=settings.LLM_TOTAL_TIMEOUT.total_seconds() * attempt_budget + 30)
