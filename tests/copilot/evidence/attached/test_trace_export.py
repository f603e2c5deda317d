import json
from datetime import UTC, datetime

from copilot.evidence.attached import files, gather, trace_export
from copilot.privacy.pseudonyms import Pseudonyms

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
TRACE = "5b8efff798038103d269b633813fc60c"


def otlp_spans(*spans: tuple[str, str, str, int, int]) -> dict[str, object]:
    """Spans as (id, parent, service, start in ms, length in ms) of one trace."""
    resources = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": TRACE, "spanId": own, "parentSpanId": parent, "name": "GET /pay",
                            "startTimeUnixNano": str(start * 10**6), "endTimeUnixNano": str((start + length) * 10**6),
                        }
                    ]
                }
            ],
        }
        for own, parent, service, start, length in spans
    ]  # fmt: skip
    return {"resourceSpans": resources}


SPANS = otlp_spans(("a" * 16, "", "checkout", 1000, 900), ("b" * 16, "a" * 16, "payments", 1050, 800))
JAEGER = {
    "data": [
        {
            "traceID": TRACE,
            "processes": {"p1": {"serviceName": "checkout"}, "p2": {"serviceName": "payments"}},
            "spans": [
                {"traceID": TRACE, "spanID": "a" * 16, "operationName": "GET /pay", "startTime": 1_000_000, "duration": 900_000, "processID": "p1"},
                {"traceID": TRACE, "spanID": "b" * 16, "operationName": "GET /pay", "startTime": 1_050_000, "duration": 800_000, "processID": "p2",
                 "references": [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": "a" * 16}], "tags": [{"key": "error", "value": True}]},
            ],
        },
        {"spans": "broken"},
    ]
}  # fmt: skip


def lines(document: object, *, indent: int | None = 1) -> list[str]:
    return json.dumps(document, indent=indent).splitlines()


def test_both_formats_say_the_same() -> None:
    told = [
        [(span.service, span.duration_ns // 10**6, span.parent_id == 0) for span in trace_export.spans_in(lines(each))]
        for each in (SPANS, JAEGER)
    ]
    assert told[0] == told[1] == [("checkout", 900, True), ("payments", 800, False)]
    assert [span.is_error for span in trace_export.spans_in(lines(JAEGER))] == [False, True]


def test_a_line_for_each_request_as_the_collector_writes_them() -> None:
    written = [json.dumps(SPANS), "{broken", json.dumps(SPANS)]
    assert len(trace_export.spans_in(written)) == 4


def test_other_files_are_no_traces() -> None:
    for document in ({"level": "ERROR", "traceID": 1}, {"resourceSpans": 3}, {"data": {"traceID": []}}, {"data": None}):
        assert trace_export.spans_in(lines(document)) == []
    assert trace_export.spans_in(["2026-03-01 ERROR disk full", '"resourceSpans"']) == []
    assert trace_export.spans_in([]) == []


def test_an_export_becomes_a_waterfall_cited_at_the_span_that_takes_the_time() -> None:
    file = files.read("trace.json", json.dumps(SPANS, indent=1).encode(), mask=str)
    (item,) = gather.gather(gather.digest([file]), "what is slow?", now=NOW, pseudonyms=Pseudonyms()).items
    assert item.statement == (
        "trace.json holds 1 trace with 2 spans, 0 failed. The slowest took 900 ms, 89 % of it in payments GET /pay."
    )
    assert [(row["service"], row["depth"], row["hot"]) for row in item.detail["spans"]] == [
        ("checkout", 0, False),
        ("payments", 1, True),
    ]
    assert "b" * 16 in item.detail["lines"][0]["text"]
