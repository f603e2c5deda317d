"""How the models have done: calls, time, tokens, money, and how much of what they wrote the evidence supported."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import connection


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One model for one purpose with one version of the prompt since a moment. Seconds are medians and 95th percentiles of its calls, None without any that ended well.

    `cost_usd` is None when the price of any call is not known. `sentences` are those it wrote; `unsupported` of them were marked or struck; `found_…` are what people said of them.
    """

    model: str
    purpose: str
    prompt_version: str
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
    found_right: int = 0
    found_wrong: int = 0
    found_useless: int = 0

    @property
    def unsupported_share(self) -> float | None:
        """Return the share of its sentences that the evidence did not support, in [0, 1]; None when it wrote none."""
        return self.unsupported / self.sentences if self.sentences else None


@dataclass(frozen=True, slots=True)
class Week:
    """What a model wrote with a version of the prompt in the week that began on a Monday (UTC)."""

    monday: date
    model: str
    prompt_version: str
    sentences: int
    unsupported: int

    @property
    def share(self) -> float:
        """Return the share that was not supported, in [0, 1]."""
        return self.unsupported / self.sentences


# An answer is the model's that was called last for it.
_SENTENCES = """
    SELECT k.id, last.model, last.purpose, last.prompt_version, coalesce(m.finished_at, m.created_at) AS at, k.verdict
      FROM copilot_claim k JOIN copilot_message m ON m.id = k.message_id
      JOIN LATERAL (SELECT model, purpose, prompt_version FROM copilot_modelcall c WHERE c.message_id = m.id
                     ORDER BY c.id DESC LIMIT 1) last ON true
     WHERE k.by_model AND m.created_at >= %(since)s
"""
_USE = f"""
    WITH sentences AS ({_SENTENCES}),
         written AS (SELECT model, purpose, prompt_version, count(*) AS sentences,
                            count(*) FILTER (WHERE verdict <> 'supported') AS unsupported,
                            count(*) FILTER (WHERE verdict = 'struck') AS struck
                       FROM sentences GROUP BY model, purpose, prompt_version),
         said AS (SELECT model, purpose, prompt_version, count(*) FILTER (WHERE judgement = 'right') AS found_right,
                         count(*) FILTER (WHERE judgement = 'wrong') AS found_wrong,
                         count(*) FILTER (WHERE judgement = 'useless') AS found_useless
                    FROM sentences JOIN copilot_claimfeedback f ON f.claim_id = sentences.id
                   GROUP BY model, purpose, prompt_version)
    SELECT c.model, c.purpose, c.prompt_version, count(*), count(*) FILTER (WHERE c.error <> ''),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY c.first_token_seconds),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY c.first_token_seconds),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY c.seconds) FILTER (WHERE c.error = ''),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY c.seconds) FILTER (WHERE c.error = ''),
           sum(c.prompt_tokens), sum(c.cached_tokens), sum(c.output_tokens),
           CASE WHEN bool_or(c.cost_usd IS NULL) THEN NULL ELSE sum(c.cost_usd) END,
           coalesce(max(w.sentences), 0), coalesce(max(w.unsupported), 0), coalesce(max(w.struck), 0),
           coalesce(max(s.found_right), 0), coalesce(max(s.found_wrong), 0), coalesce(max(s.found_useless), 0)
      FROM copilot_modelcall c LEFT JOIN written w USING (model, purpose, prompt_version)
      LEFT JOIN said s USING (model, purpose, prompt_version)
     WHERE c.started_at >= %(since)s
     GROUP BY c.model, c.purpose, c.prompt_version ORDER BY count(*) DESC, c.model, c.purpose, c.prompt_version
"""  # noqa: S608 - of constants
_WEEKS = f"""
    SELECT date_trunc('week', at AT TIME ZONE 'UTC')::date, model, prompt_version, count(*),
           count(*) FILTER (WHERE verdict <> 'supported')
      FROM ({_SENTENCES}) s GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3
"""  # noqa: S608 - of constants


def use_since(moment: datetime) -> list[ModelUse]:
    """Return how each model that was called since then has done, by purpose and version of the prompt; the most called first."""
    with connection.cursor() as cursor:
        cursor.execute(_USE, {"since": moment})
        return [ModelUse(*row) for row in cursor.fetchall()]


def weeks_since(moment: datetime) -> list[Week]:
    """Return what each model wrote a week since then, the newest week first."""
    with connection.cursor() as cursor:
        cursor.execute(_WEEKS, {"since": moment})
        return [Week(*row) for row in cursor.fetchall()]
