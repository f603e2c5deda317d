from datetime import UTC, datetime
from decimal import Decimal

import pytest

from copilot.llm.usage import CallUsage, cost_usd, record

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_cached_tokens_cost_less() -> None:
    call = CallUsage("openai:gpt-4.1", prompt_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)
    assert cost_usd(call) == Decimal("1.2") + Decimal("0.2") + Decimal("0.8")


def test_our_own_models_cost_nothing_and_unknown_ones_are_unknown() -> None:
    assert cost_usd(CallUsage("local qwen2.5-coder-1.5b-instruct", prompt_tokens=900)) == 0
    assert cost_usd(CallUsage("openai:gpt-99", prompt_tokens=900)) is None


@pytest.mark.django_db
def test_a_call_is_kept_with_its_error() -> None:
    call = record(
        CallUsage("openai:gpt-99", seconds=1.5).failed("refused"), purpose="chat", message=None, started_at=NOW
    )
    call.refresh_from_db()
    assert (call.error, call.cost_usd, call.seconds, call.first_token_seconds) == ("refused", None, 1.5, None)
