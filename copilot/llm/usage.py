"""What a model call took: tokens, seconds and money, kept as a row per call."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from copilot.models import Message, ModelCall

MILLION = Decimal(1_000_000)
# US dollars per million tokens: prompt, cached prompt, output. List prices as we knew them; a model that is not here has an unknown cost.
PRICES: dict[str, tuple[str, str, str]] = {
    "openai:gpt-4o": ("2.50", "1.25", "10"),
    "openai:gpt-4o-mini": ("0.15", "0.075", "0.60"),
    "openai:gpt-4.1": ("2", "0.50", "8"),
    "openai:gpt-4.1-mini": ("0.40", "0.10", "1.60"),
    "openai:gpt-5": ("1.25", "0.125", "10"),
    "openai:gpt-5-mini": ("0.25", "0.025", "2"),
    "anthropic:claude-sonnet-4-5": ("3", "0.30", "15"),
    "anthropic:claude-haiku-4-5": ("1", "0.10", "5"),
}
FREE = ("local", "ollama:")


@dataclass(frozen=True, slots=True)
class CallUsage:
    """One call. Token numbers are the provider's, 0 when it gave none; `first_token_seconds` is None when no text came."""

    model: str
    prompt_version: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    first_token_seconds: float | None = None
    seconds: float = 0.0
    error: str = ""

    def failed(self, error: str) -> "CallUsage":
        """Return the same with why it ended early."""
        return replace(self, error=error)


def price_is_known(model: str) -> bool:
    """Return whether the cost of this model's calls is known."""
    return model.startswith(FREE) or model in PRICES


def cost_usd(usage: CallUsage) -> Decimal | None:
    """Return what the call cost in US dollars, None when the price is not known."""
    if usage.model.startswith(FREE):
        return Decimal(0)
    prices = PRICES.get(usage.model)
    if prices is None:
        return None
    prompt, cached, output = map(Decimal, prices)
    fresh = max(usage.prompt_tokens - usage.cached_tokens, 0)
    return (fresh * prompt + usage.cached_tokens * cached + usage.output_tokens * output) / MILLION


def record(usage: CallUsage, *, purpose: str, message: Message | None, started_at: datetime) -> ModelCall:
    """Keep a call as a row; `purpose` is "explain" or "chat"."""
    return ModelCall.objects.create(
        message=message,
        purpose=purpose,
        model=usage.model[:200],
        prompt_version=usage.prompt_version,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        first_token_seconds=usage.first_token_seconds,
        seconds=usage.seconds,
        cost_usd=cost_usd(usage),
        error=usage.error,
        started_at=started_at,
    )
