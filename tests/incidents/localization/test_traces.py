import numpy as np
import pytest

from incidents.localization import traces
from incidents.localization.topology import downstream, edges
from incidents.localization.traces import TraceView, join
from incidents.telemetry.datamodel import Span, span_table

A, B = b"a" * 16, b"b" * 16
MS = 1_000_000


def span(
    number: int, parent: int, service: str, start: int, took: int, *, trace: bytes = A, operation: str = "op"
) -> Span:
    return Span(trace, number, parent, service, operation, 0, start * MS, took * MS, False, "{}")


def view(*spans: Span) -> TraceView:
    return join(baseline=None, reference=span_table([]), incident=span_table(spans))


def self_ms(of: TraceView) -> dict[int, float]:
    return {int(number): float(own) / MS for number, own in zip(of.table.span_id, of.self_ns, strict=True)}


def test_exclusive_time_counts_parallel_children_once() -> None:
    own = self_ms(
        view(span(1, 0, "a", 0, 100), span(2, 1, "a", 10, 40), span(3, 1, "a", 30, 40), span(4, 1, "a", 80, 10))
    )
    assert own == {1: 100 - 60 - 10, 2: 40, 3: 40, 4: 10}


def test_children_that_outlive_their_parent_are_cut() -> None:
    assert self_ms(view(span(1, 0, "a", 0, 50), span(2, 1, "a", 40, 100)))[1] == 40


def test_nested_children_of_several_parents_do_not_mix() -> None:
    own = self_ms(
        view(
            span(1, 0, "a", 0, 100),
            span(2, 1, "a", 0, 90),
            span(3, 2, "a", 5, 80),
            span(4, 0, "a", 0, 30, trace=B),
            span(5, 4, "a", 0, 10, trace=B),
        )
    )
    assert own == {1: 10, 2: 10, 3: 80, 4: 20, 5: 10}


def test_a_reactive_handler_is_not_blamed_for_the_call_it_awaits() -> None:
    own = self_ms(
        view(
            span(1, 0, "gate", 0, 100), span(2, 1, "gate", 1, 98), span(3, 1, "gate", 3, 95), span(4, 3, "shop", 5, 90)
        )
    )
    assert own[2] == pytest.approx(3)
    assert own[3] == 5


def test_hop_time_lies_between_caller_and_callee() -> None:
    of = view(span(1, 0, "a", 0, 100), span(2, 1, "b", 20, 30))
    assert of.hop_ns[1] == 70 * MS
    assert np.isnan(of.hop_ns[0])
    assert of.crosses.tolist() == [False, True]
    assert of.calls_out.tolist() == [True, False]


def test_spans_in_both_recordings_are_kept_once() -> None:
    both = span(1, 0, "a", 0, 10)
    joined = join(
        baseline=span_table([both]), reference=span_table([both, span(2, 0, "a", 5, 10)]), incident=span_table([])
    )
    assert len(joined) == 2
    assert joined.before.tolist() == [True, True]


def test_the_reference_counts_only_where_the_baseline_knows_too_little() -> None:
    usual = span_table([span(n, 0, "a", n, 10) for n in range(1, 11)])
    recent = span_table([span(20, 0, "a", 0, 10), span(21, 0, "b", 0, 10)])
    joined = join(baseline=usual, reference=recent, incident=span_table([span(30, 0, "a", 0, 10)]))
    counted = dict(zip(joined.table.span_id.tolist(), joined.before.tolist(), strict=True))
    assert counted[1]
    assert not counted[20]
    assert counted[21]
    assert not counted[30]


def test_ancestors_of_rows() -> None:
    of = view(span(1, 0, "a", 0, 9), span(2, 1, "b", 1, 5), span(3, 2, "c", 2, 2), span(4, 1, "d", 6, 1))
    row = {int(number): place for place, number in enumerate(of.table.span_id)}
    above = of.descends_to(np.array([row[3]]))
    assert [above[row[number]] for number in (1, 2, 3, 4)] == [True, True, False, False]


def test_very_many_spans_are_thinned_by_whole_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "MAX_SPANS", 500)
    spans = [
        span(2 * n + child + 1, (2 * n + 1) * child, "a", n, 5, trace=n.to_bytes(16))
        for n in range(1000)
        for child in (0, 1)
    ]
    kept = view(*spans)
    assert 300 < len(kept) < 700
    assert (np.bincount(kept.table.trace)[np.unique(kept.table.trace)] == 2).all()


def test_edges_and_what_lies_downstream() -> None:
    found = edges(view(span(1, 0, "a", 0, 9), span(2, 1, "b", 1, 5), span(3, 2, "c", 2, 2), span(4, 3, "b", 2, 1)))
    assert found == {("a", "b"), ("b", "c"), ("c", "b")}
    assert downstream("a", edges=found) == {"b", "c"}
    assert downstream("b", edges=found) == {"b", "c"}
    assert downstream("nobody", edges=found) == frozenset()


def test_no_spans_at_all() -> None:
    nothing = view()
    assert len(nothing) == 0
    assert edges(nothing) == frozenset()
    assert nothing.requests == (1, 1)
