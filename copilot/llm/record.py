"""How the models have done: calls, time, tokens, money, and how much of what they wrote the evidence supported."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import connection


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One model since a moment. Seconds are medians and 95th percentiles of its calls, None without any that ended well.

    `cost_usd` is None when the price of any call is not known. `sentences` are those it wrote; `unsupported` of them were marked or struck.
    """

    model: str
    calls: int
    failed: int
    first_token_median: float | None
    first_token_p95: float | None
    seconds_median: float | None
    seconds_p95: float | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    sentences: int = 0
    unsupported: int = 0
    struck: int = 0

    @property
    def unsupported_share(self) -> float | None:
        """Return the share of its sentences that the evidence did not support, in [0, 1]; None when it wrote none."""
        return self.unsupported / self.sentences if self.sentences else None


@dataclass(frozen=True, slots=True)
class Week:
    """What a model wrote in the week that began on a Monday (UTC)."""

    monday: date
    model: str
    sentences: int
    unsupported: int

    @property
    def share(self) -> float:
        """Return the share that was not supported, in [0, 1]."""
        return self.unsupported / self.sentences


# An answer is the model's that was called last for it.
_SENTENCES = """
    SELECT (SELECT c.model FROM copilot_modelcall c WHERE c.message_id = m.id ORDER BY c.id DESC LIMIT 1) AS model,
           coalesce(m.finished_at, m.created_at) AS at, k.verdict
      FROM copilot_claim k JOIN copilot_message m ON m.id = k.message_id
     WHERE k.by_model AND m.created_at >= %(since)s
"""
_USE = f"""
    WITH sentences AS ({_SENTENCES}),
         written AS (SELECT model, count(*) AS sentences, count(*) FILTER (WHERE verdict <> 'supported') AS unsupported,
                            count(*) FILTER (WHERE verdict = 'struck') AS struck FROM sentences GROUP BY model)
    SELECT c.model, count(*), count(*) FILTER (WHERE c.error <> ''),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY c.first_token_seconds),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY c.first_token_seconds),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY c.seconds) FILTER (WHERE c.error = ''),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY c.seconds) FILTER (WHERE c.error = ''),
           sum(c.prompt_tokens), sum(c.cached_tokens), sum(c.output_tokens),
           CASE WHEN bool_or(c.cost_usd IS NULL) THEN NULL ELSE sum(c.cost_usd) END,
           coalesce(max(w.sentences), 0), coalesce(max(w.unsupported), 0), coalesce(max(w.struck), 0)
      FROM copilot_modelcall c LEFT JOIN written w USING (model)
     WHERE c.started_at >= %(since)s
     GROUP BY c.model ORDER BY count(*) DESC, c.model
"""  # noqa: S608 - of constants
_WEEKS = f"""
    SELECT date_trunc('week', at AT TIME ZONE 'UTC')::date, model, count(*), count(*) FILTER (WHERE verdict <> 'supported')
      FROM ({_SENTENCES}) s WHERE model IS NOT NULL GROUP BY 1, 2 ORDER BY 1 DESC, 2
"""  # noqa: S608 - of constants


def use_since(moment: datetime) -> list[ModelUse]:
    """Return each model that was called since then, the most called first."""
    with connection.cursor() as cursor:
        cursor.execute(_USE, {"since": moment})
        return [ModelUse(*row) for row in cursor.fetchall()]


def weeks_since(moment: datetime) -> list[Week]:
    """Return what each model wrote a week since then, the newest week first."""
    with connection.cursor() as cursor:
        cursor.execute(_WEEKS, {"since": moment})
        return [Week(*row) for row in cursor.fetchall()]
