"""What models may cost: a cap for the day (UTC) and one for an incident. Beyond it, answers are composed by code."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import DecimalField, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from copilot.llm import usage
from copilot.llm.chat_model import MAX_PROMPT_TOKENS, ChatModel
from copilot.llm.providers import HOSTED_OUTPUT_TOKENS
from copilot.models import Message, ModelCall

MOST_CALLS = 2  # of each model for one answer


def why_not(message: Message, model: ChatModel, *, now: datetime) -> str:
    """Return why this answer may not ask the model, "" when it may.

    Answers that are being written count at the most that they can cost, so that many at once cannot pass the cap together; of two
    that would pass it only together, neither may.
    """
    price = most_usd(model)
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


def most_usd(model: ChatModel) -> Decimal:
    """Return the most that one answer of the model can cost, 0 for a free one."""
    names = [name for name in model.name.split(", then ") if not name.startswith(usage.FREE)]
    return sum((MOST_CALLS * _dearest_call(name) for name in names), Decimal(0))


def _dearest_call(name: str) -> Decimal:
    prices = [usage.PRICES[name]] if name in usage.PRICES else usage.PRICES.values()
    return max(
        (MAX_PROMPT_TOKENS * Decimal(prompt) + HOSTED_OUTPUT_TOKENS * Decimal(output)) / usage.MILLION
        for prompt, _, output in prices
    )


def _spent(calls: QuerySet[ModelCall], unknown: Decimal) -> Decimal:
    """Return what calls cost; one whose price is not known counts as `unknown`."""
    known = calls.aggregate(
        usd=Coalesce(Sum("cost_usd"), Value(Decimal(0)), output_field=DecimalField(max_digits=14, decimal_places=6))
    )["usd"]
    return Decimal(known) + unknown * calls.filter(cost_usd=None).count()


def _being_written(message: Message, *, now: datetime) -> int:
    streaming = Q(state=Message.State.STREAMING, claimed_until__gte=now)
    return Message.objects.filter(streaming, from_copilot=True).exclude(pk=message.pk).count()
