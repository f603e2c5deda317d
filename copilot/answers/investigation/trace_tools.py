"""Tools on traces: one request as a waterfall, and who calls whom."""

import numpy as np

from copilot.answers.investigation.arguments import GetTrace, ShowTopology
from copilot.answers.investigation.found import Found, NothingThere, Sources
from copilot.answers.investigation.metric_tools import backend_of, change_of
from copilot.answers.investigation.scope import BEFORE, Scope
from copilot.evidence import traces
from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.wording import clock, joined, quantity
from incidents.telemetry.datamodel import Span, SpanTable, Window, from_ns

MOST_NEIGHBOURS = 20
_SIGNALS = ("requests_per_second", "error_ratio", "duration_p95")


def get_trace(asked: GetTrace, scope: Scope, sources: Sources) -> Found:
    """Return one trace that went through a service: the slowest, one that failed, one of usual length, or one by its id."""
    backend = backend_of(sources)
    window = scope.window(asked.from_minute, asked.to_minute)
    if asked.trace_id:
        spans = backend.fetch_trace(bytes.fromhex(asked.trace_id))
        picked = f"Trace {asked.trace_id[:8]}"
    else:
        trace_id = _picked(backend.fetch_spans(window, services=[asked.service]), asked)
        spans = backend.fetch_trace(trace_id)
        of = f" through {asked.service}{f' {asked.operation}' if asked.operation else ''}"
        picked = f"{ {'slowest': 'The slowest request', 'failed': 'A failed request', 'typical': 'A typical request'}[asked.pick] }{of}"
    if not spans:
        raise NothingThere("That trace is not kept any more.")
    return Found((_item(spans, picked, asked.service, window, backend.name),), tuple(map(_row, spans)))


def show_topology(asked: ShowTopology, scope: Scope, sources: Sources) -> Found:
    """Return a service's callers and callees, and what requests, failures and durations of each did at the incident's start."""
    edges = sources.bundle.edges
    callers = sorted({caller for caller, callee in edges if callee == asked.service and caller != asked.service})
    callees = sorted({callee for caller, callee in edges if caller == asked.service and callee != asked.service})
    if not callers and not callees:
        raise NothingThere(f"No trace shows {asked.service} calling a service, or being called by one.")
    around = [asked.service, *callers[:MOST_NEIGHBOURS], *callees[:MOST_NEIGHBOURS]]
    lines = _neighbours(around, scope, sources)
    said = [f"is called by {joined(callers)}"] * bool(callers) + [f"calls {joined(callees)}"] * bool(callees)
    window = sources.window
    item = Evidence(
        id="",
        kind=Kind.TOPOLOGY,
        role=Role.CONTEXT,
        service=asked.service,
        title=f"Around {asked.service}",
        statement=f"{asked.service} {' and '.join(said)}.",
        start=window.start,
        end=window.end,
        statistic={
            "callers": {"value": len(callers), "unit": ""},
            "callees": {"value": len(callees), "unit": ""},
        },
        excerpt=tuple(lines),
        query=f'calls of and to service="{asked.service}"',
        backend=sources.backend.name if sources.backend else "",
        detail={"callers": callers, "callees": callees},
    )
    own = ", ".join(scope.metrics_of(asked.service)[:60])
    note = f"Metrics of {asked.service}: {own}." if own else f"{asked.service} has no metrics."
    return Found((item,), tuple(lines), note)


def _neighbours(services: list[str], scope: Scope, sources: Sources) -> list[str]:
    if sources.backend is None:
        return []
    window = Window(scope.start - BEFORE, max(scope.end, scope.start + BEFORE))
    series = sources.backend.fetch_metrics(window, services=services)
    lines = []
    for service in services:
        own = [one for one in series if one.key.service == service]
        said = [change for name in _SIGNALS if (change := change_of(own, scope, name))]
        lines.append(f"{service}: {'; '.join(said) or 'no requests seen'}")
    return lines


def _picked(table: SpanTable, asked: GetTrace) -> bytes:
    """Return the id of the trace to show. Raises NothingThere."""
    rows = np.ones(len(table), dtype=bool)
    if asked.operation is not None:
        known = {name: place for place, name in enumerate(table.operations)}
        if asked.operation not in known:
            near = ", ".join(sorted(table.operations)[:12])
            raise NothingThere(
                f"{asked.service} has no operation {asked.operation[:80]!r} in this window; it has: {near}."
            )
        rows &= table.operation == known[asked.operation]
    if asked.pick == "failed":
        rows &= table.is_error
    places = np.flatnonzero(rows)
    if not len(places):
        raise NothingThere(f"{asked.service} has no {'failed ' * (asked.pick == 'failed')}span in this window.")
    order = places[np.argsort(table.duration_ns[places], kind="stable")]
    chosen = order[len(order) // 2] if asked.pick == "typical" else order[-1]
    return table.trace_ids[int(table.trace[chosen])]


def _item(spans: list[Span], picked: str, service: str, window: Window, backend: str) -> Evidence:
    rows = traces.waterfall(spans)
    total = max(row["offset_ms"] + row["duration_ms"] for row in rows) / 1000
    hot = next(row for row in rows if row["hot"])
    share = round(hot["self_ms"] / 1000 / total, 2) if total else 0.0
    failed = [span for span in spans if span.is_error]
    began = from_ns(min(span.start_ns for span in spans))
    names = joined(list(dict.fromkeys(f"{span.service} {span.operation}" for span in failed))[:3])
    statement = (
        f"{picked} at {clock(began)} took {quantity(total, 's')}, {quantity(share, '1')} of it in {hot['service']} {hot['operation']}; "
        f"{len(failed):,} of its {len(spans):,} spans failed{f' ({names})' if names else ''}."
    )
    trace_id = spans[0].trace_id.hex()
    return Evidence(
        id="",
        kind=Kind.TRACE,
        role=Role.CONTEXT,
        service=service,
        title=picked,
        statement=statement,
        start=window.start,
        end=window.end,
        statistic={"length": {"value": total, "unit": "s"}, "share": {"value": share, "unit": "1"}},
        excerpt=tuple(f"{row['service']} {row['operation']} {row['duration_ms']:.1f} ms" for row in rows[:6]),
        query=f'trace_id="{trace_id}"',
        backend=backend,
        detail={"trace_id": trace_id, "spans": rows, "span_count": len(spans), "started_at": began.isoformat()},
    )


def _row(span: Span) -> str:
    failed = " FAILED" if span.is_error else ""
    return f"{clock(from_ns(span.start_ns))} {span.service} {span.operation} {span.duration_ns / 1e6:.1f} ms{failed} {span.attributes[:300]}"
