"""The service map's layout."""

from dataclasses import replace

from copilot.views.service_map import MOST_NODES, service_map
from tests import cast


def test_callers_are_left_of_what_they_call() -> None:
    drawn = service_map(cast.bundle())
    assert drawn is not None
    x = {node.name: node.x for node in drawn.nodes}
    assert x["storefront"] < x["checkout"] < x["payments"] < x["payments-db"]
    assert [node.name for node in drawn.nodes if node.is_root] == ["payments"]
    assert all(0 <= node.x < drawn.width and 0 <= node.y < drawn.height for node in drawn.nodes)
    assert "checkout calls cart, payments" in drawn.sentence


def test_circles_and_self_calls_are_drawn_too() -> None:
    edges = (("a", "b"), ("b", "c"), ("c", "a"), ("c", "c"))
    drawn = service_map(replace(cast.bundle(), edges=edges, services=("a",), hypotheses=()))
    assert drawn is not None
    assert len(drawn.nodes) == 3
    assert len(drawn.arrows) == 3
    assert len({(node.x, node.y) for node in drawn.nodes}) == 3


def test_a_large_system_is_cut_to_the_neighbourhood() -> None:
    edges = (*(("gateway", f"service-{n:02d}") for n in range(40)), ("service-39", "store"))
    drawn = service_map(replace(cast.bundle(), edges=edges, services=("service-39",), hypotheses=()))
    assert drawn is not None
    names = {node.name for node in drawn.nodes}
    assert len(names) == MOST_NODES
    assert {"service-39", "store", "gateway"} <= names
    assert drawn.left_out == 42 - MOST_NODES


def test_without_calls_there_is_no_map() -> None:
    assert service_map(replace(cast.bundle(), edges=())) is None
