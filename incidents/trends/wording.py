"""Minutes, intervals and findings in words, the same on a page, in a report and in a label for screen readers."""

from __future__ import annotations

from math import isfinite

from incidents.mttr import ENOUGH, Difference, Estimate, Measure, Verdict

TOO_FEW = f"Too few incidents to say; needs {ENOUGH}."
NAMES = {
    Measure.DETECT: "Time to detect",
    Measure.ACKNOWLEDGE: "Time to acknowledge",
    Measure.MITIGATE: "Time to mitigate",
    Measure.RESTORE: "Time to restore",
}
SHORT_NAMES = {
    Measure.DETECT: "MTTD",
    Measure.ACKNOWLEDGE: "MTTA",
    Measure.MITIGATE: "to mitigate",
    Measure.RESTORE: "MTTR",
}
DEFINITIONS = {
    Measure.DETECT: "from when it started to when it was opened",
    Measure.ACKNOWLEDGE: "from when it was opened to the first sign of a person: acknowledged, mitigated or resolved",
    Measure.MITIGATE: "from when it started to when users were no longer harmed: mitigated or resolved",
    Measure.RESTORE: "from when it started to when it was resolved",
}


def minutes_in_words(minutes: float) -> str:
    """Say a duration: "40 s", "2.6 min", "62 min", "3 h 4 min", "2.5 days"."""
    if not isfinite(minutes):
        return "not over yet"
    number, unit = _scaled(minutes, _unit(minutes))
    if unit == "h":
        hours, rest = divmod(round(minutes), 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{number} {unit}"


def interval_in_words(low: float, high: float) -> str:
    """Say an interval in one unit: "48 to 80 min"; without an upper limit "48 min or more"."""
    if not isfinite(high):
        return f"{minutes_in_words(low)} or more"
    if _unit(high) == "h":
        return f"{minutes_in_words(low)} to {minutes_in_words(high)}"
    unit = _unit(high)
    return f"{_scaled(low, unit)[0]} to {_scaled(high, unit)[0]} {unit}"


def estimate_in_words(estimate: Estimate | None) -> str:
    """Say a median with its interval: "62 min (48 to 80 min)", or that there are too few."""
    if estimate is None:
        return TOO_FEW
    if not isfinite(estimate.minutes):
        return f"more than {minutes_in_words(estimate.low)}: over half go on"
    return f"{minutes_in_words(estimate.minutes)} ({interval_in_words(estimate.low, estimate.high)})"


def difference_in_words(apart: Difference) -> str:
    """Say how two periods differ, as far as the numbers allow."""
    if apart.verdict is Verdict.TOO_FEW or apart.before is None or apart.after is None:
        return "Too few incidents before to compare." if apart.after else TOO_FEW
    if apart.verdict is Verdict.NOT_CLEAR:
        return f"No clear change from {estimate_in_words(apart.before)} before."
    return f"{apart.verdict.value.capitalize()} from {estimate_in_words(apart.before)} before (log-rank {p_in_words(apart.p)})."


def p_in_words(p: float | None) -> str:
    """Say a probability: "p = 0.004", "p < 0.001"."""
    if p is None:
        return "not tested"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def count_in_words(number: int, one: str, many: str = "") -> str:
    """Say a count with its noun: "1 incident", "1,204 incidents"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _unit(minutes: float) -> str:
    if minutes < 1:
        return "s"
    if minutes < 99.5:
        return "min"
    return "h" if minutes < 48 * 60 else "days"


def _scaled(minutes: float, unit: str) -> tuple[str, str]:
    value = minutes * {"s": 60.0, "min": 1.0, "h": 1 / 60, "days": 1 / 1440}[unit]
    return (f"{value:.1f}" if 0 < value < 9.95 and unit != "s" else f"{value:.0f}"), unit
