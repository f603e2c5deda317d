"""Tools on log lines: those that hold some words, and the patterns that changed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from copilot.answers.investigation.arguments import CompareLogPatterns, SearchLogs
from copilot.answers.investigation.found import Found, NothingThere, Sources
from copilot.answers.investigation.metric_tools import backend_of
from copilot.answers.investigation.scope import Scope
from copilot.evidence import logs
from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.findings import quoted
from copilot.evidence.wording import clock
from incidents.localization.log_templates import template_lines
from incidents.localization.suspects import Finding, Modality
from incidents.telemetry.datamodel import LogRecord, Window, from_ns, to_ns

LOOKED_AT = 20_000  # lines of one search, the newest
MOST_PATTERNS = 5
MOST_BY_SERVICE = 4  # named in a statement
_LEAST = {"any": 0, "warning": 13, "error": 17}
_LEVELS = ((21, "FATAL"), (17, "ERROR"), (13, "WARN"), (9, "INFO"), (1, "DEBUG"))


def search_logs(asked: SearchLogs, scope: Scope, sources: Sources) -> Found:
    """Return how many lines hold the words, when, of whom, and the lines themselves. Words are compared as they stand."""
    backend = backend_of(sources)
    window = scope.window(asked.from_minute, asked.to_minute)
    owner, template = scope.patterns.get(asked.like or "", ("", ""))
    services = [asked.service or owner] if asked.service or owner else list(scope.services)
    lines = backend.fetch_logs(window, services=services, limit=LOOKED_AT)
    pattern = logs.template_pattern(template) if template else None
    text, least = (asked.text or "").casefold(), _LEAST[asked.least_severity]
    matching = [
        line
        for line in lines
        if line.severity >= least and text in line.body.casefold() and (pattern is None or pattern.search(line.body))
    ]
    whose = services[0] if len(services) == 1 else "The incident's services"
    cut = (
        f" Only the newest {LOOKED_AT:,} lines of the window were looked at; ask for a shorter one."
        if len(lines) >= LOOKED_AT
        else ""
    )
    item = _of_lines(matching, _what(asked), whose, window, backend.name)
    query = f"service={'|'.join(services)[:200]} text={asked.text!r} like={asked.like} severity>={asked.least_severity}"
    item = replace(
        item,
        query=query,
        statement=item.statement.rstrip(".") + f", from {clock(window.start)} to {clock(window.end)}." + cut,
    )
    return Found((item,), tuple(map(_row, matching)), cut.strip())


def compare_log_patterns(asked: CompareLogPatterns, scope: Scope, sources: Sources) -> Found:
    """Return which patterns of a service's lines are new, gone, or changed their rate at the incident's start."""
    backend = backend_of(sources)
    window = scope.window(asked.from_minute, asked.to_minute)
    lines = backend.fetch_logs(window, services=[asked.service], limit=LOOKED_AT)
    if not lines:
        raise NothingThere(f"{asked.service} logged nothing from {clock(window.start)} to {clock(window.end)}.")
    if not window.start < scope.start < window.end:
        raise NothingThere("The window must hold some time before and some after the incident's start (minute 0).")
    ranked = _ranked(lines, scope, window)
    items = tuple(
        logs.from_finding(
            Finding(asked.service, Modality.LOGS, "log template", before, after, "lines", 0.0, template=template),
            role=Role.CONTEXT,
            lines=lines,
            since=scope.start,
            window=window,
            backend=backend.name,
        )
        for template, before, after in ranked[:MOST_PATTERNS]
    )
    table = tuple(f"{before:,.0f} → {after:,.0f} {template[:300]}" for template, before, after in ranked)
    note = f"{len(ranked)} patterns in {len(lines):,} lines; counts before → since {clock(scope.start)}."
    return Found(items, table, note)


def _ranked(lines: Sequence[LogRecord], scope: Scope, window: Window) -> list[tuple[str, float, float]]:
    """Return (template, lines before, lines since), those that speak of failures and changed their rate most first."""
    found = template_lines(lines)
    since = np.array([line.time_ns >= to_ns(scope.start) for line in lines])
    before = np.bincount(found.template[~since], minlength=len(found.texts))
    after = np.bincount(found.template[since], minlength=len(found.texts))
    long_before = max((scope.start - window.start).total_seconds(), 1.0)
    long_after = max((window.end - scope.start).total_seconds(), 1.0)

    def weight(one: int) -> float:
        rates = before[one] / long_before, after[one] / long_after
        change = abs(rates[1] - rates[0]) / max(*rates, 1e-9)
        return float(change * np.log1p(before[one] + after[one]) * (3.0 if found.alarming[one] else 1.0))

    order = sorted(range(len(found.texts)), key=weight, reverse=True)
    return [(found.texts[one], float(before[one]), float(after[one])) for one in order]


def _of_lines(lines: Sequence[LogRecord], what: str, whose: str, window: Window, backend: str) -> Evidence:
    shown = lines[: logs.MAX_LINES]
    detail = [
        {
            "at": from_ns(line.time_ns).isoformat(),
            "severity": line.severity,
            "body": line.body[:2000],
            "trace_id": line.trace_id.hex(),
        }
        for line in shown
    ]
    service = lines[0].service if lines and len({line.service for line in lines}) == 1 else ""
    return Evidence(
        id="",
        kind=Kind.LOG,
        role=Role.CONTEXT,
        service=service,
        title=f"{len(lines):,} lines {what}"[:160],
        statement=_statement(lines, what, whose),
        start=window.start,
        end=window.end,
        statistic={"lines": {"value": len(lines), "unit": "lines"}},
        excerpt=tuple(line.body[: logs.EXCERPT_LENGTH] for line in shown[: logs.EXCERPT_LINES]),
        backend=backend,
        detail={"count_before": 0, "count_after": len(lines), "lines": detail},
    )


def _statement(lines: Sequence[LogRecord], what: str, whose: str) -> str:
    if not lines:
        return f"{whose} logged no line {what}."
    owners = Counter(line.service for line in lines)
    said = ", ".join(f"{name} {count:,}" for name, count in owners.most_common(MOST_BY_SERVICE))
    by = f"{next(iter(owners))} logged" if len(owners) == 1 else f"{whose} ({said}) logged"
    first, last = clock(from_ns(lines[0].time_ns)), clock(from_ns(lines[-1].time_ns))
    when = f"at {first}" if first == last else f"first at {first}, last at {last}"
    count = "one line" if len(lines) == 1 else f"{len(lines):,} lines"
    return f"{by} {count} {what}, {when}: {quoted(lines[0].body)}."


def _what(asked: SearchLogs) -> str:
    said = [f"with “{asked.text}”"] if asked.text else []
    said += [f"like {asked.like}"] if asked.like else []
    said += [f"of severity {asked.least_severity} or worse"] if asked.least_severity != "any" else []
    return " ".join(said) or "of any kind"


def _row(line: LogRecord) -> str:
    level = next((name for least, name in _LEVELS if line.severity >= least), "-")
    trace = f" trace={line.trace_id.hex()}" if line.trace_id.strip(b"\0") else ""
    return f"{clock(from_ns(line.time_ns))} {line.service} {level} {line.body[:1000]}{trace}"
