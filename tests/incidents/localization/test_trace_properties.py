"""What holds for any trace: where time went, whatever the order of spans, and whatever customers ask for."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.localization.execution import path_changes
from incidents.localization.latency import own_time
from incidents.localization.log_templates import template_lines
from incidents.localization.traces import join
from incidents.telemetry.datamodel import Span, SpanTable, span_table

SERVER, CLIENT = 2, 3
MS = 1_000_000
Times = tuple[int, int]  # start and duration, in milliseconds


def trace(parents: list[int], times: list[Times], *, services: list[str]) -> list[Span]:
    """Return spans numbered from 1; the parent of the first is none, of each other one an earlier one."""
    return [
        Span(b"t" * 16, place + 1, parent, service, "op", 1, start * MS, took * MS, False, "{}")
        for place, (parent, (start, took), service) in enumerate(zip(parents, times, services, strict=True))
    ]


@st.composite
def traces(draw: st.DrawFn) -> list[Span]:
    """Traces of one service: any tree, any times, children that overlap, outlive or precede their parent among them."""
    size = draw(st.integers(1, 12))
    parents = [0, *(draw(st.integers(1, place)) for place in range(1, size))]
    times = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=size, max_size=size))
    return trace(parents, times, services=["shop"] * size)


def alone(span: Span, spans: list[Span]) -> int:
    """Count, millisecond by millisecond, when a span ran and none of its children did."""

    def held(one: Span) -> set[int]:
        return set(range(one.start_ns // MS, (one.start_ns + one.duration_ns) // MS))

    busy: set[int] = set()
    for other in spans:
        if other.parent_id == span.span_id:
            busy |= held(other)
    return len(held(span) - busy)


def own_ms(spans: list[Span]) -> dict[int, float]:
    view = join(baseline=None, reference=span_table([]), incident=span_table(spans))
    return {int(number): float(own) / MS for number, own in zip(view.table.span_id, view.self_ns, strict=True)}


@settings(max_examples=200, deadline=None)
@given(traces(), st.randoms(use_true_random=False))
def test_own_time_is_what_no_child_covers_in_any_order_of_spans(spans: list[Span], source: random.Random) -> None:
    expected = {span.span_id: alone(span, spans) for span in spans}
    assert own_ms(spans) == expected
    source.shuffle(spans)
    assert own_ms(spans) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_time_of_calls_one_after_another_adds_up_to_the_request(lengths: list[int]) -> None:
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    total = sum(lengths) + 5
    spans = trace(
        [0, *[1] * len(lengths)],
        [(0, total), *zip(starts, lengths, strict=True)],
        services=["shop", *(f"service-{n}" for n in range(len(lengths)))],
    )
    own = own_ms(spans)
    assert own[1] == 5
    assert sum(own.values()) == total


def visits(count: int, *, first: int, operation: str, took: float, calls: tuple[str, ...] = ()) -> list[Span]:
    """Requests to one operation of the shop, with calls to a store each."""
    spans = []
    for number in range(count):
        base, name = first + number * 20, (first + number).to_bytes(16)
        length = int(took * (1 + 0.02 * (number % 5)) * MS)
        spans.append(Span(name, base + 1, 0, "shop", operation, SERVER, number * MS, length, False, "{}"))
        for place, call in enumerate(calls):
            client, server = base + 2 + 2 * place, base + 3 + 2 * place
            spans.append(Span(name, client, base + 1, "shop", call, CLIENT, number * MS, length // 4, False, "{}"))
            spans.append(Span(name, server, client, "store", call, SERVER, number * MS, length // 5, False, "{}"))
    return spans


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 90), st.integers(10, 90))
def test_another_mix_of_fast_and_slow_requests_slows_nothing(fast_before: int, fast_after: int) -> None:
    """The shop's median and mean move by as much as 40 times; each operation takes what it took."""

    def side(fast: int, first: int) -> SpanTable:
        slow = visits(100 - fast, first=first + 50_000, operation="GET /report", took=400)
        return span_table(visits(fast, first=first, operation="GET /", took=10) + slow)

    view = join(baseline=None, reference=side(fast_before, 0), incident=side(fast_after, 200_000))
    assert all(one.strength < 0.5 for one in own_time(view))
    assert all(one.strength < 0.5 for one in path_changes(view, lines=[], templates=template_lines([])))


@pytest.mark.parametrize("fast_after", [20, 90])
def test_a_slow_operation_is_found_in_any_mix(fast_after: int) -> None:
    before = span_table(
        visits(50, first=0, operation="GET /", took=10) + visits(50, first=50_000, operation="GET /report", took=400)
    )
    after = span_table(
        visits(fast_after, first=200_000, operation="GET /", took=310)
        + visits(100 - fast_after, first=300_000, operation="GET /report", took=400)
    )
    found = own_time(join(baseline=None, reference=before, incident=after))
    assert [one.operation for one in found if one.strength >= 1] == ["GET /"]
    # Middle of 10 and of 310 ms, each varied by 0 to 8 %.
    assert found[0].before == pytest.approx(0.0104, rel=0.03)
    assert found[0].after == pytest.approx(0.3224, rel=0.03)


def test_a_call_left_out_and_a_call_added_are_told_with_their_shares() -> None:
    before = span_table(visits(80, first=0, operation="POST /order", took=20, calls=("reserve", "charge")))
    after = span_table(
        visits(30, first=200_000, operation="POST /order", took=20, calls=("reserve",))
        + visits(10, first=300_000, operation="POST /order", took=20, calls=("reserve", "charge", "refund"))
    )
    view = join(baseline=None, reference=before, incident=after)
    found = path_changes(view, lines=[], templates=template_lines([]))
    assert {one.service for one in found} == {"shop"}
    # New paths of one operation count as one: 40 of 40 requests, none before.
    assert (found[0].operation, found[0].before, found[0].after, found[0].novel) == ("POST /order", 0, 1, True)
    assert [event.text for event in found[0].omits] == ["charge"]


def failing(count: int, *, first: int, fails: frozenset[str]) -> list[Span]:
    """front → shop → store → disk, one after the other, and beside the shop's call a look into its cache; `fails` names whose spans fail."""
    spans = []
    for number in range(count):
        base, name = first + number * 20, (first + number).to_bytes(16)
        chain = (("front", 100), ("shop", 80), ("store", 60), ("disk", 40))
        spans += [
            Span(name, base + place, base + place - 1 if place > 1 else 0, service, "do", SERVER, number * MS, took * MS, service in fails, "{}")
            for place, (service, took) in enumerate(chain, start=1)
        ]  # fmt: skip
        spans.append(Span(name, base + 9, base + 2, "cache", "get", SERVER, number * MS, MS, "cache" in fails, "{}"))
    return spans


@pytest.mark.parametrize(
    ("fails", "blamed"),
    [
        (frozenset({"disk", "store", "shop", "front"}), "disk"),  # passed on all the way
        (frozenset({"store", "shop"}), "store"),  # the front hides it
        (frozenset({"store"}), "store"),
    ],
)
def test_an_error_is_held_against_where_it_began_along_the_chain_of_calls(fails: frozenset[str], blamed: str) -> None:
    before = span_table(failing(60, first=0, fails=frozenset()))
    after = span_table(failing(20, first=100_000, fails=frozenset()) + failing(20, first=200_000, fails=fails))
    view = join(baseline=None, reference=before, incident=after)
    found = [
        one for one in path_changes(view, lines=[], templates=template_lines([])) if one.did and one.did[0].alarming
    ]
    assert [one.service for one in found] == [blamed]
    assert (found[0].before, found[0].after) == (0, 0.5)
    assert len(found[0].rows) == 20
