"""Keeps a failing model from being asked again and again: a circuit breaker with a retry budget, one for each model, shared by all processes.

After three failures in a row the circuit opens: nobody is asked for a while, which doubles each time, or for as long as the provider
says. Then one call tries; its success closes the circuit. The budget is gRPC's retry throttling (proposal A6): a failure takes a token,
a success gives half a one back, and with half of the tokens gone nothing is retried.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest, Least

from copilot.llm import capabilities
from copilot.llm.chat_model import ChatModel, Reply, chat_models, in_order
from copilot.llm.failures import CallEnded, ModelBusy, ModelFailed, ModelRefused
from copilot.llm.prompts import Prompt, PromptBudget
from copilot.llm.purposes import Purpose
from copilot.llm.tool_calling import Conversation, Turn
from copilot.models import LanguageModel

OPENS_AFTER = 3
FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=5)
MOST_TOKENS = 10.0
TOKENS_FOR_SUCCESS = 0.5

Clock = Callable[[], datetime]
Result = TypeVar("Result")


class ModelResting(ModelBusy):
    """The model has failed so often that it is not asked for a while; `retry_after` says for how long."""


@dataclass(frozen=True)
class Guarded:
    """A model behind its breaker. `clock` returns the present time, UTC."""

    model: ChatModel
    clock: Clock

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self.model.name

    @property
    def can_call_tools(self) -> bool:
        """Return whether the model can be given tools."""
        return self.model.can_call_tools

    @property
    def budget(self) -> PromptBudget:
        """Return how the model is prompted."""
        return self.model.budget

    def reply(self, prompt: Prompt, *, on_text: Callable[[str], None]) -> Reply:
        """Answer a prompt; see `ChatModel`. Raises ModelResting while the circuit is open."""
        return self.call(lambda: self.model.reply(prompt, on_text=on_text))

    def turn(self, conversation: Conversation, *, on_text: Callable[[str], None], watch: Callable[[], None]) -> Turn:
        """Take a turn with tools; see `ChatModel`. Raises ModelResting while the circuit is open."""
        return self.call(lambda: self.model.turn(conversation, on_text=on_text, watch=watch))

    @property
    def others(self) -> ChatModel | None:
        """Return what is asked when this one fails."""
        return self.model.others

    def call(self, ask: Callable[[], Result]) -> Result:
        """Make a call of this model through its breaker. Raises what the call raises, and ModelResting."""
        _admit(self.name, now=self.clock())
        try:
            reply = ask()
        except CallEnded:
            raise
        except ModelFailed as failure:
            failure.retry_allowed = _failed(self.name, failure, now=self.clock())
            raise
        _succeeded(self.name)
        return reply


def guarded_chat_model(purpose: Purpose, *, clock: Clock) -> ChatModel | None:
    """Return the model for a purpose with what was found out about it, behind its breaker; None for COPILOT_LLM=none."""
    return in_order([Guarded(model, clock) for model in chat_models(purpose, describe=capabilities.kept)])


def _admit(name: str, *, now: datetime) -> None:
    row = LanguageModel.objects.filter(name=name).first()
    if row is None or row.rests_until is None:
        return
    # Of those who come after the rest one tries, and the others wait for what it finds.
    tries = LanguageModel.objects.filter(name=name, rests_until=row.rests_until, rests_until__lte=now).update(
        rests_until=now + FIRST_REST
    )
    if tries:
        return
    left = max(row.rests_until - now, timedelta(seconds=1))
    raise ModelResting(
        f"{name} failed {row.failures} times in a row and is asked again at {row.rests_until:%H:%M:%S} UTC. "
        f"Last: {row.last_failure}",
        retry_after=left,
    )


def _failed(name: str, failure: ModelFailed, *, now: datetime) -> bool:
    """Count a failure; return whether a retry is in the budget."""
    with transaction.atomic():
        LanguageModel.objects.get_or_create(name=name)
        row = LanguageModel.objects.select_for_update().get(name=name)
        row.failures += 1
        row.last_failure, row.last_failed_at = str(failure)[:500], now
        row.retry_tokens = max(row.retry_tokens - 1, 0.0)
        if row.failures >= OPENS_AFTER or failure.retry_after:
            doubled = FIRST_REST * 2 ** min(max(row.failures - OPENS_AFTER, 0), 10)
            row.rests_until = now + max(
                min(doubled, LONGEST_REST) if row.failures >= OPENS_AFTER else timedelta(0),
                failure.retry_after or timedelta(0),
            )
        row.save(update_fields=["failures", "last_failure", "last_failed_at", "retry_tokens", "rests_until"])
    return not isinstance(failure, ModelRefused) and row.retry_tokens > MOST_TOKENS / 2


def _succeeded(name: str) -> None:
    LanguageModel.objects.filter(
        Q(failures__gt=0) | Q(rests_until__isnull=False) | Q(retry_tokens__lt=MOST_TOKENS), name=name
    ).update(
        failures=0,
        rests_until=None,
        retry_tokens=Least(Greatest(F("retry_tokens"), Value(0.0)) + TOKENS_FOR_SUCCESS, Value(MOST_TOKENS)),
    )
