"""What a signal's page says of the time to come: when it reaches its limit, or when its error budget is used up, and the lead time."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from incidents.baselines import Watched
from incidents.detection import forecast
from incidents.detection.impact import number
from incidents.detection.signals import SignalKind, counts_requests, is_share, meaning
from incidents.models import Signal

OBJECTIVE, PERIOD_DAYS = 99.9, 30.0
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class ShownForecast:
    """The forecast and the number that its form holds. `field` names what is asked: a limit, or an objective in percent."""

    field: str
    label: str
    value: str
    sentence: str
    lead: str


def forecast_of(signal: Signal, seen: Watched, *, limit: str, objective: str) -> ShownForecast:
    """Return when the signal reaches its limit by its last hours, or how long its error budget lasts when it is a share of failures."""
    read_as = meaning(signal.name, signal.unit)
    if read_as and read_as.kind in (SignalKind.ERRORS, SignalKind.SUCCESS) and counts_requests(signal.key):
        share = seen.values * read_as.factor
        failing = share if read_as.kind is SignalKind.ERRORS else 1.0 - share
        return _budget(seen, failing, asked=_number(objective))
    asked = _number(limit)
    if asked is not None:
        return _limit(seen, limit=asked, told=f"{number(asked)}")
    if isfinite(seen.limit):
        return _limit(seen, limit=seen.limit, told=f"its limit of {number(seen.limit)}, as another series tells,")
    if read_as and read_as.kind is SignalKind.RESOURCE and is_share(signal.key):
        return _limit(seen, limit=1.0 / read_as.factor, told=f"its whole, {number(1.0 / read_as.factor)},")
    return ShownForecast("limit", "When will it reach", "", "No series tells its limit. Give a number to ask for.", "")


def _number(text: str) -> float | None:
    try:
        asked = float(text)
    except ValueError:
        return None
    return asked if isfinite(asked) else None


def _limit(seen: Watched, *, limit: float, told: str) -> ShownForecast:
    said = forecast.forecast(seen.times, seen.values, limit=limit)
    if said is None:
        sentence, lead = f"In the last six hours it does not drift to {told.rstrip(',')}.", ""
    else:
        sentence, lead = f"Reaches {told} in {_span(said.likely_seconds)} by its trend; {_interval(said)}.", _lead(said)
    return ShownForecast("limit", "When will it reach", f"{limit:g}", sentence, lead)


def _budget(seen: Watched, failing: np.ndarray, *, asked: float | None) -> ShownForecast:
    objective = asked if asked is not None and 0.0 < asked < 100.0 else OBJECTIVE
    used = forecast.budget_used(
        seen.times, failing, objective=objective / 100.0, period_seconds=PERIOD_DAYS * DAY_SECONDS
    )
    watched = float(seen.times[-1] - seen.times[0])
    burn = float(used[-1]) * PERIOD_DAYS * DAY_SECONDS / watched
    sentence = (
        f"The last six hours used {used[-1]:.1%} of the error budget of {PERIOD_DAYS:.0f} days ({number(100.0 - objective)} %"
        f" of requests may fail): {number(burn)} times what lasts the whole period."
    )
    said = forecast.forecast(seen.times, used, limit=1.0)
    if said is not None:
        sentence += f" At this rate it is used up in {_span(said.likely_seconds)}; {_interval(said)}."
    elif burn > 1.0:
        sentence += f" At this rate a full budget lasts {PERIOD_DAYS / burn:.1f} days."
    return ShownForecast(
        "objective", "Share of requests that has to succeed, %", f"{objective:g}", sentence, _lead(said) if said else ""
    )


def _interval(said: forecast.Forecast) -> str:
    latest = "or never" if said.latest_seconds is None else f"at the latest in {_span(said.latest_seconds)}"
    return f"at the earliest in {_span(said.earliest_seconds)}, {latest}"


def _lead(said: forecast.Forecast) -> str:
    return f"Lead time to count on: {_span(said.earliest_seconds)}."


def _span(seconds: float) -> str:
    return f"{seconds / 3600.0:.1f} h" if seconds >= 3600.0 else f"{max(seconds / 60.0, 1.0):.0f} min"
