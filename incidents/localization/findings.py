"""What was measured, as findings of one service each, with the spans that show it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from incidents.localization.execution import Event, EventKind, PathChange
from incidents.localization.latency import Slowdown
from incidents.localization.log_rates import LineChange
from incidents.localization.metrics import Departure, Sort
from incidents.localization.reach import Unanswered
from incidents.localization.suspects import Family, Finding, Modality
from incidents.localization.traces import TraceView
from incidents.telemetry.datamodel import ChangeRecord, LogRecord, from_ns

EXEMPLARS = 3
# A change just before trouble is worth about as much as a clear signal in one of three requests: it tips the scales, it does not make
# the case.
CHANGE_STRENGTH = 2.0
CHANGE, SILENCE = "change", "silence"
FAMILIES = {
    Sort.RESOURCE: Family.RESOURCE,
    Sort.LATENCY: Family.LATENCY,
    Sort.FAILURE: Family.ERROR,
    Sort.TRAFFIC: Family.TRAFFIC,
}


@dataclass(frozen=True)
class Lead:
    """A finding, the aspect of the service it speaks of, and the incident's spans that show it (empty when no spans do).

    Findings of one aspect repeat each other: only the strongest counts in full. `family` is the kind of fault it looks like by itself.
    """

    finding: Finding
    aspect: str
    rows: NDArray[np.int64]
    family: Family = Family.UNCLEAR

    @property
    def service(self) -> str:
        return self.finding.service

    @property
    def strength(self) -> float:
        return self.finding.strength

    def weakened(self, factor: float) -> "Lead":
        """Return the lead with its strength multiplied."""
        return replace(self, finding=replace(self.finding, strength=self.finding.strength * factor))


NO_ROWS = np.empty(0, dtype=np.int64)


def of_slowdown(view: TraceView, slowdown: Slowdown) -> Lead:
    """Return the lead for time lost in an operation."""
    return _slow(view, slowdown, f"own time of {slowdown.operation}, {slowdown.quantile}", "own time", slowdown.service)


def of_hop(view: TraceView, slowdown: Slowdown, *, blamed: str, factor: float) -> Lead:
    """Return the lead for time lost between two services, held against one of them, its strength times `factor`."""
    statistic = f"time between {slowdown.caller} and {slowdown.service}, {slowdown.quantile}"
    return _slow(view, slowdown, statistic, "hop", blamed).weakened(factor)


def _slow(view: TraceView, slowdown: Slowdown, statistic: str, aspect: str, service: str) -> Lead:
    rows = slowdown.rows
    half = (slowdown.before + slowdown.after) / 2 * 1e9
    late = rows[view.table.duration_ns[rows] >= half]
    finding = Finding(
        service=service,
        modality=Modality.TRACES,
        statistic=statistic,
        before=slowdown.before,
        after=slowdown.after,
        unit="s",
        strength=slowdown.strength,
        onset_at=_onset(view, late if len(late) else rows),
        operation=slowdown.operation,
        trace_id=_trace(view, rows[:1]),
        exemplars=_traces(view, rows),
    )
    return Lead(finding, aspect, rows, Family.LATENCY)


def of_silence(view: TraceView, silence: Unanswered) -> Lead:
    """Return the lead for a service that left calls without an answer."""
    finding = Finding(
        service=silence.service,
        modality=Modality.TRACES,
        statistic=f"share of calls to {silence.service} without an answer",
        before=silence.before,
        after=silence.after,
        unit="1",
        strength=silence.strength,
        onset_at=_onset(view, silence.rows),
        trace_id=_trace(view, silence.rows[:1]),
        exemplars=_traces(view, silence.rows),
    )
    return Lead(finding, SILENCE, silence.rows, Family.ERROR)


def of_path(view: TraceView, change: PathChange) -> Lead:
    """Return the lead for a path that became more common."""
    telling = next((event for event in change.did if event.alarming), None)
    left_out = next((event for event in change.omits if event.kind is EventKind.LINE), None)
    line = telling or left_out
    by_line = line is not None and line.kind is EventKind.LINE
    finding = Finding(
        service=change.service,
        modality=Modality.LOGS if by_line else Modality.TRACES,
        statistic=f"share of {change.operation} that {_deed(change)}",
        before=change.before,
        after=change.after,
        unit="1",
        strength=change.strength,
        onset_at=_onset(view, change.rows),
        operation=change.operation,
        template=line.text if line is not None and by_line else "",
        trace_id=_trace(view, change.rows[:1]),
        exemplars=_traces(view, change.rows),
        is_left_out=by_line and telling is None,
    )
    return Lead(finding, "path", change.rows, Family.CODE_PATH if telling is None else Family.ERROR)


def _deed(change: PathChange) -> str:
    telling = next((event for event in change.did if event.alarming), None)
    if telling is not None:
        return "fails" if telling.kind is EventKind.ERROR else f"writes “{_short(telling)}”"
    if change.omits:
        return f"leaves out {_named(change.omits)}"
    return "takes a path never seen before" if change.novel else "takes another path"


def _named(events: Sequence[Event]) -> str:
    first = events[0]
    name = f"the line “{_short(first)}”" if first.kind is EventKind.LINE else _short(first)
    return name if len(events) == 1 else f"{name} and {len(events) - 1} more"


def _short(event: Event) -> str:
    return event.text if len(event.text) <= 80 else f"{event.text[:79]}…"


def of_lines(change: LineChange, lines: Sequence[LogRecord]) -> Lead:
    """Return the lead for a template that came more often, less often or not at all."""
    chosen = [lines[place] for place in change.places[:EXEMPLARS].tolist()]
    finding = Finding(
        service=change.service,
        modality=Modality.LOGS,
        statistic=_rate(change),
        before=change.before if change.before else float("nan"),
        after=change.after,
        unit="1/request",
        strength=change.strength,
        onset_at=from_ns(min(line.time_ns for line in chosen)) if chosen and change.after else None,
        template=change.template,
        exemplars=tuple(line.trace_id.hex() for line in chosen if line.trace_id),
        is_left_out=not change.after,
    )
    if change.alarming:
        return Lead(finding, "alarm", NO_ROWS, Family.ERROR)
    return Lead(finding, "lines", NO_ROWS, Family.CODE_PATH)


def _rate(change: LineChange) -> str:
    if not change.before:
        return "new log template, lines per request"
    return "lines per request of a log template" if change.after else "vanished log template, lines per request"


def of_departure(departure: Departure) -> Lead:
    """Return the lead for a series that left its usual range."""
    finding = Finding(
        service=departure.key.service,
        modality=Modality.METRICS,
        statistic=departure.key.name,
        before=departure.before,
        after=departure.after,
        unit=departure.key.unit,
        strength=departure.strength,
        onset_at=datetime.fromtimestamp(departure.since, UTC),
        series=departure.key,
    )
    return Lead(finding, departure.sort.value, NO_ROWS, FAMILIES.get(departure.sort, Family.UNCLEAR))


def of_change(change: ChangeRecord) -> Lead:
    """Return the lead for somebody's change: no evidence by itself, but it counts where other findings point to the service."""
    versions = tuple(version for version in (change.version_before, change.version_after) if version)
    finding = Finding(
        service=change.service,
        modality=Modality.CHANGES,
        statistic=change.title,
        before=float("nan"),
        after=float("nan"),
        unit="",
        strength=CHANGE_STRENGTH,
        onset_at=change.at,
        exemplars=versions,
    )
    return Lead(finding, CHANGE, NO_ROWS)


def _onset(view: TraceView, rows: NDArray[np.int64]) -> datetime | None:
    return from_ns(int(view.table.start_ns[rows].min())) if len(rows) else None


def _trace(view: TraceView, rows: NDArray[np.int64]) -> str:
    return view.table.trace_ids[int(view.table.trace[rows[0]])].hex() if len(rows) else ""


def _traces(view: TraceView, rows: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(_trace(view, rows[place : place + 1]) for place in range(min(EXEMPLARS, len(rows))))
