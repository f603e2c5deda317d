import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.localization.latency import Slowdown, blame_hops, compared_hops, hops, own_time
from incidents.localization.significance import grouped
from incidents.localization.topology import edges
from incidents.localization.traces import TraceView, join
from incidents.telemetry.datamodel import Span, SpanTable, span_table

MS = 1_000_000


def system(*, calls: int, first: int, delay: dict[tuple[str, str], float], own: dict[str, float]) -> list[Span]:
    """The front calls three services, one of which calls a fourth; `delay` is added between two, `own` within one, in milliseconds."""
    spans = []
    for call in range(calls):
        base, trace = first + call * 20, (first + call).to_bytes(16)

        def took(service: str, usual: float, call: int = call) -> float:
            return (usual + own.get(service, 0)) * (1 + 0.05 * (call % 5))

        deep = took("deep", 5)
        inner = {
            "left": took("left", 8),
            "middle": took("middle", 6),
            "right": took("right", 4) + deep + 2 + delay.get(("right", "deep"), 0),
        }
        spans.append(Span(trace, base + 1, 0, "front", "GET /", 2, 0, int(1000 * MS), False, "{}"))
        for place, (service, inside) in enumerate(inner.items()):
            outside = inside + 2 + delay.get(("front", service), 0)
            client, server = base + 2 + 2 * place, base + 3 + 2 * place
            spans.append(
                Span(trace, client, base + 1, "front", f"call {service}", 3, place * MS, int(outside * MS), False, "{}")
            )
            spans.append(Span(trace, server, client, service, "serve", 2, place * MS, int(inside * MS), False, "{}"))
        gap = deep + 2 + delay.get(("right", "deep"), 0)
        spans.append(Span(trace, base + 10, base + 7, "right", "call deep", 3, 2 * MS, int(gap * MS), False, "{}"))
        spans.append(Span(trace, base + 11, base + 10, "deep", "serve", 2, 2 * MS, int(deep * MS), False, "{}"))
    return spans


def seen(*, delay: dict[tuple[str, str], float] | None = None, own: dict[str, float] | None = None) -> TraceView:
    before = span_table(system(calls=60, first=0, delay={}, own={}))
    after = span_table(system(calls=40, first=10_000, delay=delay or {}, own=own or {}))
    return join(baseline=None, reference=before, incident=after)


def blamed(view: TraceView) -> dict[str, list[Slowdown]]:
    """Return the slow hops by who is blamed in full."""
    found: dict[str, list[Slowdown]] = {}
    for one in blame_hops(hops(view), edges=edges(view), compared=compared_hops(view)):
        if one.factor == 1.0:
            found.setdefault(one.service, []).append(one.slowdown)
    return found


def test_time_lost_inside_is_found_there_and_not_in_callers() -> None:
    slow = own_time(seen(own={"deep": 400}))
    assert (slow[0].service, slow[0].operation) == ("deep", "serve")
    assert 0.3 < slow[0].after < 0.6
    assert slow[0].before < 0.01
    assert all(one.strength < 1 for one in slow[1:])


def test_one_slow_hop_is_held_against_the_callee() -> None:
    assert list(blamed(seen(delay={("right", "deep"): 300}))) == ["deep"]


def test_when_all_of_a_services_hops_are_slow_it_is_to_blame() -> None:
    everywhere = {("front", "left"): 200.0, ("front", "middle"): 200.0, ("front", "right"): 200.0}
    assert list(blamed(seen(delay=everywhere))) == ["front"]
    assert list(blamed(seen(delay={("front", "right"): 300, ("right", "deep"): 300}))) == ["right"]


def test_a_healthy_system_loses_no_time() -> None:
    view = seen()
    assert own_time(view) == [] or own_time(view)[0].strength < 0.5
    assert blamed(view) == {}


def test_nothing_to_compare_with_finds_nothing() -> None:
    alone = join(
        baseline=None, reference=span_table([]), incident=span_table(system(calls=5, first=0, delay={}, own={}))
    )
    assert own_time(alone) == []
    assert hops(alone) == []


def test_a_slow_hop_is_held_against_both_ends_by_how_well_they_explain_it() -> None:
    """front calls three services, one of them slowly: of that one's two hops half are slow, of the front's a third."""
    view = seen(delay={("front", "right"): 300})
    found = blame_hops(hops(view), edges=edges(view), compared=compared_hops(view))
    told = {one.service: round(one.factor, 2) for one in found}
    assert told == {"right": 1.0, "front": 0.67}  # a third over a half
    assert compared_hops(view) == edges(view)
    # Hops that could not be compared are neither slow nor as usual.
    known = frozenset({("front", "right"), ("right", "deep")})
    told = {one.service: round(one.factor, 2) for one in blame_hops(hops(view), edges=edges(view), compared=known)}
    assert told == {"front": 1.0, "right": 0.5}


@pytest.mark.parametrize(
    ("calls", "slow", "low", "high"), [(10, 2, 0.0, 1.0), (10, 9, 3.0, 10.0), (600, 120, 3.0, 10.0)]
)
def test_few_slow_calls_among_few_prove_little(calls: int, slow: int, low: float, high: float) -> None:
    """Two of ten: a share of 3 in 12 with a standard error of 0.126, so 1.6 of them above none, however slow the two were."""

    def side(number: int, first: int, slow: int) -> SpanTable:
        took = [1_000 * MS if n < slow else (10 + n % 3) * MS for n in range(number)]
        return span_table(
            [
                Span((first + n).to_bytes(16), first + n, 0, "shop", "GET /", 2, n * MS, ns, False, "{}")
                for n, ns in enumerate(took)
            ]
        )

    view = join(baseline=None, reference=side(60, 1, 0), incident=side(calls, 10_000, slow))
    strongest = max((one.strength for one in own_time(view)), default=0.0)
    assert low <= strongest < high


@given(
    st.dictionaries(st.integers(0, 5), st.lists(st.integers(0, 20), min_size=1, max_size=9), min_size=1),
    st.lists(st.integers(0, 20), min_size=6, max_size=6),
)
def test_counts_above_a_level_by_group(held: dict[int, list[int]], levels: list[int]) -> None:
    pairs = [(group, value) for group, values in held.items() for value in values]
    of = grouped(np.array([group for group, _ in pairs]), np.array([value for _, value in pairs], dtype=np.float64))
    expected = [sum(value > levels[group] for value in held[group]) for group in sorted(held)]
    assert of.above(np.array([levels[group] for group in sorted(held)], dtype=np.float64)).tolist() == expected
