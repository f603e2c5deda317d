import pytest

from incidents.detection.anomaly import Direction
from incidents.detection.correlation import group
from tests.incidents.detection.streams import at, episode

EDGES = [("storefront", "checkout"), ("checkout", "payments"), ("storefront", "catalog"), ("reports", "warehouse")]


def slow(service: str, name: str = "duration_p95", **fields: object):  # type: ignore[no-untyped-def]
    return episode(name, service=service, usual_low=0.1, usual_high=0.2, peak=2.0, **fields)  # type: ignore[arg-type]


def gauge(service: str, **fields: object):  # type: ignore[no-untyped-def]
    return episode("process.cpu.utilization", service=service, peak=0.97, usual_high=0.3, **fields)  # type: ignore[arg-type]


def test_episodes_of_neighbours_become_one_group_with_the_front_door_first() -> None:
    [found] = group(
        [episode(service="payments", peak=0.6), episode(service="checkout", started=20, peak=0.4), slow("storefront", started=40),
         episode(service="storefront", started=30, peak=0.31)],
        edges=EDGES,
    )  # fmt: skip
    assert found.services[0] == "storefront"
    assert set(found.services) == {"payments", "checkout", "storefront"}
    assert found.severity == 1
    assert found.title == "storefront: up to 31 % of requests fail"
    assert (found.started_at, found.opened_at) == (at(0), at(30))
    assert len(found.episodes) == 4


def test_what_lies_apart_in_the_topology_or_in_time_is_apart() -> None:
    apart = [episode(service="payments"), episode(service="warehouse"), episode(service="catalog", started=3600)]
    found = group(apart, edges=EDGES)
    assert [g.services for g in found] == [("payments",), ("warehouse",), ("catalog",)]


def test_without_topology_time_decides() -> None:
    together = group([episode(service="a"), episode(service="b", started=60)], edges=[])
    apart = group([episode(service="a"), episode(service="b", started=900)], edges=[])
    assert (len(together), len(apart)) == (1, 2)


def test_an_odd_gauge_opens_nothing() -> None:
    assert not group([gauge("payments"), gauge("catalog")], edges=EDGES)
    assert not group([episode("queue_size", service="payments", peak=500)], edges=EDGES)


def test_an_odd_gauge_joins_what_harms_its_neighbour_even_if_it_was_first() -> None:
    [found] = group([gauge("payments"), episode(service="storefront", started=240)], edges=EDGES)
    assert {e.key.service for e in found.episodes} == {"payments", "storefront"}
    assert found.services == ("storefront",)
    assert found.started_at == at(240)  # when it began to harm
    assert not [
        e for e in group([gauge("warehouse"), episode()], edges=EDGES)[0].episodes if e.key.service == "warehouse"
    ]


def test_a_resource_is_a_witness_of_its_own_services_slowness_alone_and_all_of_them_are_one() -> None:
    [found] = group([slow("checkout"), gauge("checkout", started=20)], edges=EDGES)
    assert found.opened_at == at(50)
    assert not group([slow("checkout"), gauge("payments", started=20)], edges=EDGES)
    assert not group([slow("checkout"), gauge("checkout", started=20, direction=Direction.DOWN)], edges=EDGES)
    memory = episode("memory_usage_mib", service="checkout", peak=900.0, usual_high=300.0)
    assert not group([slow("checkout", "duration_p99"), gauge("checkout"), memory], edges=EDGES)


def test_one_gauge_seen_from_several_sides_is_one_witness() -> None:
    sides = [slow("checkout", f"edge_latency_p50_s|from={side}") for side in ("storefront", "reports")]
    assert not group(sides, edges=EDGES)
    assert group([*sides, slow("checkout")], edges=EDGES)


def test_one_slow_quantile_is_not_enough_and_two_witnesses_are() -> None:
    assert not group([slow("checkout")], edges=EDGES)
    assert not group([slow("checkout", "client_latency_p90_s"), slow("checkout", "client_latency_p95_s")], edges=EDGES)
    assert not group([slow("checkout", "duration_p99"), slow("storefront", "duration_p99")], edges=EDGES)
    assert group([slow("checkout"), slow("checkout", "duration_p50", started=20)], edges=EDGES)[0].opened_at == at(50)
    assert group([slow("checkout"), slow("storefront")], edges=EDGES)
    operations = [slow("checkout", attributes=f'{{"operation":"{name}"}}') for name in ("GET /", "POST /")]
    assert not group(operations, edges=EDGES)


@pytest.mark.parametrize(
    ("service", "peak", "severity"),
    [
        ("storefront", 0.9, 1),
        ("storefront", 0.08, 2),
        ("storefront", 0.03, 3),
        ("payments", 0.9, 2),
        ("payments", 0.2, 3),
    ],
)
def test_severity_follows_what_users_feel(service: str, peak: float, severity: int) -> None:
    assert group([episode(service=service, peak=peak)], edges=EDGES)[0].severity == severity


def test_traffic_that_stops_at_the_front_door_is_an_outage_when_something_confirms_it() -> None:
    gone = episode(
        "requests_per_second", service="storefront", direction=Direction.DOWN, usual_low=10.0, usual_high=14.0, peak=0.0
    )
    below = episode(
        "requests_per_second", service="checkout", direction=Direction.DOWN, usual_low=4.0, usual_high=6.0, peak=0.0
    )
    assert not group([gone], edges=EDGES)
    [found] = group([gone, below], edges=EDGES)
    assert found.severity == 1
    assert found.title == "storefront: requests per second down to 0, usually above 10"
    surge = episode("requests_per_second", service="storefront", usual_low=10.0, usual_high=14.0, peak=90.0)
    assert not group([surge], edges=EDGES)


def test_later_episodes_do_not_change_when_it_opened() -> None:
    first = [episode(service="payments")]
    assert (
        group(first, edges=EDGES)[0].opened_at
        == group([*first, slow("storefront", started=60)], edges=EDGES)[0].opened_at
    )


def test_titles_name_the_operation_and_units() -> None:
    [found] = group([episode(attributes='{"operation":"POST /pay"}', peak=0.5)], edges=EDGES)
    assert found.title == "checkout POST /pay: up to 50 % of requests fail"
    [found] = group([slow("storefront"), slow("storefront", "duration_p50")], edges=EDGES)
    assert found.title.endswith("duration up to 2 s, usually below 200 ms")


def test_hundreds_of_episodes_stay_bounded() -> None:
    many = [episode(attributes=f'{{"operation":"op {n}"}}', peak=0.5) for n in range(400)]
    [found] = group(many, edges=EDGES)
    assert len(found.episodes) == 200
