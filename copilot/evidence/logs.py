"""Log evidence: a pattern that appeared, vanished or changed its rate, with some of its lines."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.findings import quoted, said
from copilot.evidence.wording import clock, quantity
from copilot.llm.user_input import abstracted
from incidents.localization.log_mining import template_id
from incidents.localization.suspects import Finding
from incidents.telemetry.datamodel import LogRecord, Window, from_ns, to_ns

MAX_LINES = 40
MINUTE = timedelta(minutes=1)
EXCERPT_LINES = 3
EXCERPT_LENGTH = 300
_WILDCARD = re.compile(r"<[^<>\s]*>")


def from_finding(
    finding: Finding, *, role: Role, lines: Sequence[LogRecord], since: datetime, window: Window, backend: str
) -> Evidence:
    """Return the item that shows a finding on a log template; `lines` are the service's lines in the window, which begins before `since`
    and ends after it.

    Lines are counted here, in the window before `since` and after it: a finding may be about shares of requests.
    """
    pattern = template_pattern(finding.template)
    matching = [line for line in lines if pattern.search(line.body)]
    during = [line for line in matching if line.time_ns >= to_ns(since)]
    before, after = len(matching) - len(during), len(during)
    shown = (during or matching)[:MAX_LINES]
    examples = tuple(line.body[:EXCERPT_LENGTH] for line in shown[:EXCERPT_LINES])
    first = clock(from_ns(during[0].time_ns)) if during else ""
    strangers = _share_of_callers(shown)
    told = f" {quantity(strangers, '1')} of these lines hold words that callers chose." if strangers else ""
    return Evidence(
        id="",
        kind=Kind.LOG,
        role=role,
        service=finding.service,
        title=f"{_what(before, after)} in {finding.service} logs",
        statement=_statement(
            finding,
            counts=(before, after),
            minutes=((since - window.start) / MINUTE, (window.end - since) / MINUTE),
            example=examples[0] if examples else "",
            first=first,
        )
        + told,
        start=window.start,
        end=window.end,
        statistic=_statistic(before, after, strangers),
        excerpt=examples,
        query=f'service="{finding.service}" template="{finding.template}" id={template_id(finding.template)}',
        backend=backend,
        detail={
            "template": finding.template,
            "count_before": before,
            "count_after": after,
            "lines": [_shown(line) for line in shown],
        },
    )


def _shown(line: LogRecord) -> dict[str, str | int]:
    at, trace_id = from_ns(line.time_ns).isoformat(), line.trace_id.hex()
    return {"at": at, "severity": line.severity, "body": line.body[:2000], "trace_id": trace_id}


def _statistic(before: int, after: int, strangers: float) -> dict[str, dict[str, float | str]]:
    numbers = {
        "before": (before, "lines"),
        "after": (after, "lines"),
        **({"words of callers": (strangers, "1")} if strangers else {}),
    }
    return {name: {"value": value, "unit": unit} for name, (value, unit) in numbers.items()}


def _share_of_callers(lines: Sequence[LogRecord]) -> float:
    """Return how many of the lines hold words that a caller chose, from 0 to 1: what such lines say of a cause anybody can write."""
    return sum(abstracted(line.body) != line.body for line in lines) / len(lines) if lines else 0.0


def template_pattern(template: str) -> re.Pattern[str]:
    """Return an expression that finds the template's lines: each placeholder <…> stands for any text, each gap for any space."""
    fixed = [r"\s+".join(re.escape(word) for word in part.split()) for part in _WILDCARD.split(template)]
    return re.compile(r".*?".join(part for part in fixed if part)[:2000])


def _statement(
    finding: Finding, *, counts: tuple[int, int], minutes: tuple[float, float], example: str, first: str
) -> str:
    before, after = counts
    line = quoted(example or finding.template)
    share = ""
    if finding.unit == "1" and finding.operation:
        verb = "do not log" if finding.is_left_out else "log"
        share = f"; {quantity(finding.after, '1')} of {finding.operation} {verb} it"
    if not before and not after:
        return f"{finding.service}: {said(finding)}."
    if not before:
        return f"{finding.service} logged {line} {times(after)} during the incident, first at {first}, and never in the window before{share}."
    if not after:
        return f"{finding.service} stopped logging {line}: {before:,} lines in the window before, none during the incident."
    # The windows differ in length: rates are compared, not counts.
    usual, now = before / max(minutes[0], 1e-9), after / max(minutes[1], 1e-9)
    rates = f"{quantity(now, '')} a minute, {quantity(usual, '')} before"
    more = "more often" if now > usual else "less often"
    return f"{finding.service} logged {line} {times(after)} during the incident, {more} than the {before:,} {_lines(before)} in the window before ({rates}){share}."


def _what(before: int, after: int) -> str:
    if after and not before:
        return "New pattern"
    return "Vanished pattern" if before and not after else "Changed pattern"


def _lines(count: int) -> str:
    return "line" if count == 1 else "lines"


def times(count: int) -> str:
    """Return a count of lines in words: "once", "4,212 times"."""
    return "once" if count == 1 else f"{count:,} times"
