from copilot.evidence.traces import MAX_ROWS, waterfall
from incidents.telemetry.datamodel import Span

MS = 1_000_000


def span(number: int, parent: int, start_ms: int, duration_ms: int, operation: str = "op") -> Span:
    return Span(b"t" * 16, number, parent, "payments", operation, 2, start_ms * MS, duration_ms * MS, False, "{}")


def test_rows_stand_in_display_order_with_offsets_from_the_first_span() -> None:
    rows = waterfall([span(3, 2, 120, 50, "query"), span(1, 0, 100, 100, "root"), span(2, 1, 110, 80, "charge")])
    assert [(row["operation"], row["depth"], row["offset_ms"]) for row in rows] == [
        ("root", 0, 0),
        ("charge", 1, 10),
        ("query", 2, 20),
    ]


def test_the_hot_row_is_where_time_is_spent_not_where_it_is_waited_for() -> None:
    rows = waterfall([span(1, 0, 0, 1000, "root"), span(2, 1, 10, 980, "charge"), span(3, 2, 20, 900, "pool.acquire")])
    assert [row["operation"] for row in rows if row["hot"]] == ["pool.acquire"]


def test_parallel_children_are_subtracted_once() -> None:
    rows = waterfall([span(1, 0, 0, 100, "root"), span(2, 1, 0, 80), span(3, 1, 10, 80)])
    assert rows[0]["self_ms"] == 10


def test_a_long_trace_keeps_its_longest_spans() -> None:
    rows = waterfall([span(1, 0, 0, 10_000, "root"), *(span(n, 1, n, n) for n in range(2, 200))])
    assert len(rows) == MAX_ROWS
    assert rows[0]["operation"] == "root"


def test_a_span_whose_parent_is_missing_becomes_a_root() -> None:
    assert [row["depth"] for row in waterfall([span(5, 99, 0, 10)])] == [0]


def test_spans_that_name_each_other_as_parent_end() -> None:
    assert len(waterfall([span(1, 2, 0, 10), span(2, 1, 0, 10), span(3, 3, 0, 10)])) <= 3
