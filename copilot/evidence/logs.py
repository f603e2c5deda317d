"""Log evidence: a pattern that appeared, vanished or changed its rate, with some of its lines."""

import re
from collections.abc import Sequence

from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.wording import clock
from incidents.localization.suspects import Finding
from incidents.telemetry.datamodel import LogRecord, Window, from_ns

MAX_LINES = 40
EXCERPT_LINES = 3
EXCERPT_LENGTH = 300
_WILDCARD = re.compile(r"<[^<>\s]*>")


def from_finding(finding: Finding, *, role: Role, lines: Sequence[LogRecord], window: Window, backend: str) -> Evidence:
    """Return the item that shows a finding on a log template; `lines` are the service's lines in the incident window."""
    pattern = template_pattern(finding.template)
    matching = [line for line in lines if pattern.search(line.body)]
    first = from_ns(matching[0].time_ns) if matching else finding.onset_at
    shown = matching[:MAX_LINES]
    examples = tuple(line.body[:EXCERPT_LENGTH] for line in shown[:EXCERPT_LINES]) or finding.exemplars[:EXCERPT_LINES]
    before, after = _count(finding.before), _count(finding.after)
    return Evidence(
        id="",
        kind=Kind.LOG,
        role=role,
        service=finding.service,
        title=f"{_what(before, after)} in {finding.service} logs",
        statement=_statement(
            finding, example=examples[0] if examples else finding.template, first=clock(first) if first else ""
        ),
        start=window.start,
        end=window.end,
        statistic={"before": {"value": before, "unit": "lines"}, "after": {"value": after, "unit": "lines"}},
        excerpt=examples,
        query=f'service="{finding.service}" template="{finding.template}"',
        backend=backend,
        detail={
            "template": finding.template,
            "count_before": before,
            "count_after": after,
            "lines": [
                {
                    "at": from_ns(line.time_ns).isoformat(),
                    "severity": line.severity,
                    "body": line.body[:2000],
                    "trace_id": line.trace_id.hex(),
                }
                for line in shown
            ],
        },
    )


def template_pattern(template: str) -> re.Pattern[str]:
    """Return an expression that finds the template's lines: each placeholder <…> stands for any text, each gap for any space."""
    fixed = [r"\s+".join(re.escape(word) for word in part.split()) for part in _WILDCARD.split(template)]
    return re.compile(r".*?".join(part for part in fixed if part)[:2000])


def _statement(finding: Finding, *, example: str, first: str) -> str:
    before, after = _count(finding.before), _count(finding.after)
    quoted = example if len(example) <= 140 else example[:140].rsplit(" ", 1)[0] + " …"
    since = f", first at {first}" if first else ""
    if after and not before:
        return f"{finding.service} logged “{quoted}” {after:,} times during the incident{since}, and never in the window before."
    if before and not after:
        return f"{finding.service} stopped logging “{quoted}”: {before:,} lines in the window before, none during the incident."
    more = "more" if after > before else "fewer"
    return f"{finding.service} logged “{quoted}” {after:,} times during the incident, {more} than the {before:,} before{since}."


def _what(before: int, after: int) -> str:
    if after and not before:
        return "New pattern"
    return "Vanished pattern" if before and not after else "Changed pattern"


def _count(value: float) -> int:
    return 0 if value != value else round(value)
