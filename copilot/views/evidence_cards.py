"""Evidence items as the page shows them, one shape for all kinds; the template of the kind draws `detail`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from copilot.answers.brief import Brief
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind, Role
from copilot.evidence.wording import quantity

LINES_SHOWN = 6
SPANS_SHOWN = 14
_LEVELS = ((21, "FATAL"), (17, "ERROR"), (13, "WARN"), (9, "INFO"), (5, "DEBUG"), (1, "TRACE"))
_KIND_WORDS = {
    Kind.METRIC: "Metric",
    Kind.TRACE: "Trace",
    Kind.LOG: "Log lines",
    Kind.CHANGE: "Change",
    Kind.PASSAGE: "Runbook",
    Kind.PRECEDENT: "Precedent",
    Kind.ATTACHED: "Attached file",
    Kind.TOPOLOGY: "Who calls whom",
}
_ROLE_WORDS = {
    Role.SYMPTOM: "Symptom",
    Role.CAUSE: "Points to the cause",
    Role.RIVAL: "Points elsewhere",
    Role.AGAINST: "Rules out",
    Role.CONTEXT: "Context",
    Role.REMEDY: "What to do",
    Role.FAILED: "Did not help",
}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log line: time of day with milliseconds, level, text."""

    at: str
    level: str
    body: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One span of the waterfall; `x` and `width` are percentages of the trace as SVG wants them."""

    name: str
    depth: int
    x: str
    width: str
    duration: str
    is_hot: bool
    is_error: bool


@dataclass(frozen=True, slots=True)
class Number:
    """One number behind the statement."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Card:
    """One evidence item for its template. `chart` is JSON data for the chart module, None for other kinds."""

    id: str
    kind: str
    kind_word: str
    role_word: str
    title: str
    statement: str
    service: str
    cited: int
    window: str
    query: str
    backend: str
    numbers: tuple[Number, ...]
    excerpt: tuple[str, ...]
    chart: Mapping[str, Any] | None
    lines: tuple[LogLine, ...]
    line_count: int
    spans: tuple[SpanRow, ...]
    span_count: int
    trace_length: str
    trace_id: str
    detail: Mapping[str, Any]
    place: str = ""  # where on the page, when an item is shown twice
    marked: frozenset[int] = (
        frozenset()
    )  # places of log lines, numbers of a file's lines: those that a sentence rests on

    @property
    def signal(self) -> str:
        """Return the query of the address of the series' own page, "" where the item is of no series."""
        return urlencode(self.detail["series"]) if self.kind == Kind.METRIC.value and "series" in self.detail else ""

    @property
    def chart_id(self) -> str:
        """Return the id of the element that holds the chart's data."""
        return f"chart{self.place}-{self.id}"


def cards(bundle: EvidenceBundle, *, brief: Brief | None) -> tuple[Card, ...]:
    """Return every item, cut to what the incident's page has room for."""
    cited = Counter(cite for claim in (brief.claims() if brief else ()) for cite in claim.cites)
    return tuple(card(item, bundle=bundle, cited=cited[item.id]) for item in bundle.items)


def card(item: Evidence, *, bundle: EvidenceBundle, cited: int = 0, whole: bool = False) -> Card:
    """Return one item; `whole` keeps every line and span, for the item's own page."""
    lines = item.detail.get("lines", ()) if item.kind is Kind.LOG else ()
    spans = item.detail.get("spans", ())
    length_ms = max((s["offset_ms"] + s["duration_ms"] for s in spans), default=0.0)
    return Card(
        id=item.id,
        kind=item.kind.value,
        kind_word=_KIND_WORDS[item.kind],
        role_word=_ROLE_WORDS[item.role],
        title=item.title,
        statement=item.statement,
        service=item.service,
        cited=cited,
        window=f"{item.start:%-d %B %Y, %H:%M:%S} to {item.end:%H:%M:%S} UTC",
        query=item.query,
        backend=item.backend,
        numbers=tuple(_numbers(item.statistic)),
        excerpt=item.excerpt,
        chart=_chart(item, bundle) if item.kind in (Kind.METRIC, Kind.ATTACHED) else None,
        lines=tuple(_line(line) for line in (lines if whole else lines[:LINES_SHOWN])),
        line_count=int(item.detail.get("count_after") or len(lines)),
        spans=tuple(_span(span, length_ms=length_ms) for span in (spans if whole else _telling(spans))),
        span_count=int(item.detail.get("span_count") or len(spans)),
        trace_length=quantity(length_ms / 1000, "s"),
        trace_id=str(item.detail.get("trace_id", "")),
        detail=item.detail,
    )


def _chart(item: Evidence, bundle: EvidenceBundle) -> dict[str, Any] | None:
    if len(item.detail.get("times", ())) < 2:
        return None
    changes = [
        {
            "at": datetime.fromisoformat(change.detail["at"]).timestamp(),
            "text": change.detail.get("version_after") or "change",
        }
        for change in bundle.items
        if change.kind is Kind.CHANGE and item.start <= datetime.fromisoformat(change.detail["at"]) <= item.end
    ]
    return {
        **{name: item.detail.get(name) for name in ("times", "values", "low", "high", "unit", "label")},
        "from": bundle.incident_start.timestamp(),
        "to": bundle.incident_end.timestamp(),
        "changes": changes,
        "finding": item.statement,
    }


def _numbers(statistic: Mapping[str, Mapping[str, Any]]) -> Iterable[Number]:
    for name, number in statistic.items():
        value = number.get("value")
        yield Number(name, "none" if value is None else quantity(float(value), str(number.get("unit", ""))))


def _line(line: Mapping[str, Any]) -> LogLine:
    at = datetime.fromisoformat(line["at"])
    level = next((word for least, word in _LEVELS if int(line.get("severity") or 0) >= least), "")
    return LogLine(
        f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}", level, str(line["body"]), str(line.get("trace_id") or "")
    )


def _telling(spans: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the longest spans in their order, with the hot one among them."""
    if len(spans) <= SPANS_SHOWN:
        return spans
    order = sorted(range(len(spans)), key=lambda row: (not spans[row].get("hot"), -spans[row]["duration_ms"]))
    return [spans[row] for row in sorted(order[:SPANS_SHOWN])]


def _span(span: Mapping[str, Any], *, length_ms: float) -> SpanRow:
    total = length_ms or 1.0
    return SpanRow(
        name=f"{span['service']} {span['operation']}",
        depth=min(int(span.get("depth", 0)), 6),
        x=f"{100 * span['offset_ms'] / total:.2f}%",
        width=f"{max(100 * span['duration_ms'] / total, 0.4):.2f}%",
        duration=quantity(span["duration_ms"] / 1000, "s"),
        is_hot=bool(span.get("hot")),
        is_error=bool(span.get("error")),
    )
