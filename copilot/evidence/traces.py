"""Trace evidence: one exemplar trace as a waterfall, with the span that keeps its time to itself marked."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.wording import clock, moved, quantity
from incidents.localization.suspects import Finding
from incidents.telemetry.datamodel import Span, Window, from_ns

MAX_ROWS = 60


def from_finding(finding: Finding, *, role: Role, spans: Sequence[Span], window: Window, backend: str) -> Evidence:
    """Return the item that shows a finding on spans; `spans` is its exemplar trace, empty when none is known."""
    since = f" since {clock(finding.onset_at)}" if finding.onset_at else ""
    what = (
        finding.statistic if finding.operation in finding.statistic else f"{finding.statistic} of {finding.operation}"
    )
    statement = f"{finding.service} {what} {moved(finding.before, finding.after, finding.unit)}{since}."
    statistic: dict[str, dict[str, Any]] = {
        name: {"value": value, "unit": finding.unit}
        for name, value in (("before", finding.before), ("after", finding.after))
        if value == value  # NaN: it did not exist
    }
    rows = waterfall(spans)
    if rows:
        total = max(row["offset_ms"] + row["duration_ms"] for row in rows) / 1000
        hot = next((row for row in rows if row["hot"]), None)
        statement += f" Example: a request of {quantity(total, 's')}"
        statistic["example"] = {"value": total, "unit": "s"}
        if hot:
            share = hot["self_ms"] / 1000 / total if total else 0.0
            statement += f", {quantity(round(share, 2), '1')} of it in {hot['service']} {hot['operation']}"
            statistic["share"] = {"value": round(share, 2), "unit": "1"}
        statement += "."
    return Evidence(
        id="",
        kind=Kind.TRACE,
        role=role,
        service=finding.service,
        title=f"{finding.service} {what}",
        statement=statement,
        start=window.start,
        end=window.end,
        statistic=statistic,
        excerpt=tuple(f"{row['service']} {row['operation']} {row['duration_ms']:.1f} ms" for row in rows[:6]),
        query=f'trace_id="{finding.trace_id}"'
        if finding.trace_id
        else f'service="{finding.service}" operation="{finding.operation}"',
        backend=backend,
        detail={
            "trace_id": finding.trace_id,
            "spans": rows,
            "span_count": len(spans),
            "started_at": from_ns(min(s.start_ns for s in spans)).isoformat() if spans else None,
        },
    )


def waterfall(spans: Sequence[Span]) -> list[dict[str, Any]]:
    """Return one trace as rows in display order, parents before children, at most 60: the longest branches are kept.

    Offsets and durations are in milliseconds from the first span's start. `self_ms` is the span's time not covered by its children; the
    row with the most of it is `hot`.
    """
    if not spans:
        return []
    known = {span.span_id for span in spans}
    children: dict[int, list[Span]] = defaultdict(list)
    for span in spans:
        children[span.parent_id if span.parent_id in known else 0].append(span)
    first = min(span.start_ns for span in spans)
    kept = {s.span_id for s in sorted(spans, key=lambda s: -s.duration_ns)[:MAX_ROWS]}
    rows: list[dict[str, Any]] = []
    waiting = [(span, 0) for span in sorted(children[0], key=lambda s: s.start_ns, reverse=True)]
    seen: set[int] = set()
    while waiting:
        span, depth = waiting.pop()
        if span.span_id in seen:  # a span that names itself or a loop as its parent
            continue
        seen.add(span.span_id)
        below = sorted(children.get(span.span_id, []), key=lambda s: s.start_ns)
        if span.span_id in kept:
            rows.append(_row(span, below, first=first, depth=depth))
        waiting.extend((child, depth + 1) for child in reversed(below))
    if rows:
        max(rows, key=lambda row: row["self_ms"])["hot"] = True
    return rows


def _row(span: Span, children: Sequence[Span], *, first: int, depth: int) -> dict[str, Any]:
    return {
        "id": f"{span.span_id & 0xFFFFFFFFFFFFFFFF:016x}",
        "service": span.service,
        "operation": span.operation,
        "offset_ms": (span.start_ns - first) / 1e6,
        "duration_ms": span.duration_ns / 1e6,
        "self_ms": _self_ns(span, children) / 1e6,
        "error": bool(span.is_error),
        "depth": depth,
        "hot": False,
    }


def _self_ns(span: Span, children: Sequence[Span]) -> int:
    """Subtract the union of the children's times, each cut to the span's own."""
    end_of_span = span.start_ns + span.duration_ns
    covered, reached = 0, span.start_ns
    for child in children:
        start, end = max(child.start_ns, reached), min(child.start_ns + child.duration_ns, end_of_span)
        if end > start:
            covered += end - start
            reached = end
    return span.duration_ns - covered
