"""What models may cost: a cap for the day (UTC) and one for an incident. Beyond it, answers are composed by code."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import DecimalField, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from copilot.llm import usage
from copilot.llm.chat_model import MAX_PROMPT_TOKENS, ChatModel
from copilot.llm.providers import HOSTED_OUTPUT_TOKENS
from copilot.llm.purposes import Purpose
from copilot.models import Message, ModelCall

MOST_TURN_TOKENS = 28_000  # of an investigation: what a turn sends, its tools included
MOST_CALLS = 2  # of each model for one answer


def why_not(message: Message, model: ChatModel, *, now: datetime) -> str:
    """Return why this answer may not ask the model, "" when it may.

    Answers that are being written count at the most that they can cost, so that many at once cannot pass the cap together; of two
    that would pass it only together, neither may.
    """
    return _why_not(message, most_usd(model), now=now)


def _why_not(message: Message, price: Decimal, *, now: datetime) -> str:
    """Return why nothing that costs as much may be asked for."""
    if not price:
        return ""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = _spent(ModelCall.objects.filter(started_at__gte=midnight), price)
    day = Decimal(str(settings.LLM_USD_PER_DAY))
    if today + price * (1 + _being_written(message, now=now)) > day:
        return (
            f"Models may cost ${day:.2f} a day (COPILOT_LLM_USD_PER_DAY), and ${today:.2f} are spent; "
            f"code composes the answers until {midnight + timedelta(days=1):%H:%M} UTC."
        )
    of_incident = _spent(ModelCall.objects.filter(message__incident=message.incident_id), price)
    cap = Decimal(str(settings.LLM_USD_PER_INCIDENT))
    if of_incident + price > cap:
        return (
            f"Models may cost ${cap:.2f} for one incident (COPILOT_LLM_USD_PER_INCIDENT), and ${of_incident:.2f} are spent "
            "on this one; code composes its answers."
        )
    return ""


def why_no_turn(message: Message, model: ChatModel, *, now: datetime) -> str:
    """Return why an investigation may not ask the model for another turn, "" when it may: by money, then by tokens."""
    if why := _why_not(message, most_usd(model, prompt_tokens=MOST_TURN_TOKENS, calls=1), now=now):
        return why
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    calls = ModelCall.objects.filter(purpose=Purpose.INVESTIGATION)
    of_incident = _tokens(calls.filter(message__incident=message.incident_id))
    if of_incident + MOST_TURN_TOKENS > settings.INVESTIGATION_TOKENS_PER_INCIDENT:
        return (
            f"Investigations of one incident may take {settings.INVESTIGATION_TOKENS_PER_INCIDENT:,} tokens "
            f"(COPILOT_INVESTIGATION_TOKENS_PER_INCIDENT), and {of_incident:,} are used."
        )
    today = _tokens(calls.filter(started_at__gte=midnight))
    if today + MOST_TURN_TOKENS > settings.INVESTIGATION_TOKENS_PER_DAY:
        return (
            f"Investigations may take {settings.INVESTIGATION_TOKENS_PER_DAY:,} tokens a day "
            f"(COPILOT_INVESTIGATION_TOKENS_PER_DAY), and {today:,} are used."
        )
    return ""


def most_usd(model: ChatModel, *, prompt_tokens: int = MAX_PROMPT_TOKENS, calls: int = MOST_CALLS) -> Decimal:
    """Return the most that one answer of the model can cost, 0 for a free one; in so many calls with prompts of so many tokens."""
    names = [name for name in model.name.split(", then ") if not name.startswith(usage.FREE)]
    return sum((calls * _dearest_call(name, prompt_tokens) for name in names), Decimal(0))


def _tokens(calls: QuerySet[ModelCall]) -> int:
    return int(calls.aggregate(sum=Coalesce(Sum(F("prompt_tokens") + F("output_tokens")), 0))["sum"])


def _dearest_call(name: str, prompt_tokens: int) -> Decimal:
    prices = [usage.PRICES[name]] if name in usage.PRICES else usage.PRICES.values()
    return max(
        (prompt_tokens * Decimal(prompt) + HOSTED_OUTPUT_TOKENS * Decimal(output)) / usage.MILLION
        for prompt, _, output in prices
    )


def _spent(calls: QuerySet[ModelCall], unknown: Decimal) -> Decimal:
    """Return what calls cost; one whose price is not known counts at the dearest price that is, and without tokens as `unknown`."""
    known = calls.aggregate(
        usd=Coalesce(Sum("cost_usd"), Value(Decimal(0)), output_field=DecimalField(max_digits=14, decimal_places=6))
    )["usd"]
    unpriced = calls.filter(cost_usd=None)
    uncounted = Q(prompt_tokens=0, output_tokens=0)
    tokens = unpriced.exclude(uncounted).aggregate(
        prompt=Coalesce(Sum("prompt_tokens"), 0), output=Coalesce(Sum("output_tokens"), 0)
    )
    return Decimal(known) + _at_most(tokens["prompt"], tokens["output"]) + unknown * unpriced.filter(uncounted).count()


def _at_most(prompt_tokens: int, output_tokens: int) -> Decimal:
    dearest = [max(Decimal(prices[each]) for prices in usage.PRICES.values()) for each in (0, 2)]
    return (prompt_tokens * dearest[0] + output_tokens * dearest[1]) / usage.MILLION


def _being_written(message: Message, *, now: datetime) -> int:
    streaming = Q(state=Message.State.STREAMING, claimed_until__gte=now)
    return Message.objects.filter(streaming, from_copilot=True).exclude(pk=message.pk).count()
