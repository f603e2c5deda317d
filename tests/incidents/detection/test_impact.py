"""What an episode is called."""

from datetime import UTC, datetime

import pytest

from incidents.detection.anomaly import Direction, Episode
from incidents.detection.impact import LONGEST_TITLE, plain_name, title_of
from incidents.telemetry.datamodel import SeriesKey

AT = datetime(2026, 3, 14, 2, 44, tzinfo=UTC)


def episode(key: SeriesKey, *, usual: tuple[float, float], peak: float) -> Episode:
    return Episode(
        key=key,
        direction=Direction.UP if peak > usual[1] else Direction.DOWN,
        started_at=AT,
        detected_at=AT,
        peaked_at=AT,
        ended_at=None,
        usual_low=usual[0],
        usual_high=usual[1],
        peak=peak,
        score=9.0,
    )


@pytest.mark.parametrize(
    ("key", "usual", "peak", "said"),
    [
        (
            SeriesKey("catalog", "cache.hit.ratio", unit="1"),
            (0.931, 1.0),
            0.0,
            "catalog: cache hit ratio down to 0 %, usually above 93.1 %",
        ),
        (
            SeriesKey("catalog", "cache_hits", unit="%"),
            (100.0, 100.0),
            40.0,
            "catalog: cache hits down to 40 %, usually 100 %",
        ),
        (
            SeriesKey("gate", "availability_pct", unit=""),
            (99.0, 100.0),
            12.5,
            "gate: availability down to 12.5 %, usually above 99 %",
        ),
        (
            SeriesKey("shop", "error_ratio", '{"operation": "POST /pay"}', "1"),
            (0.0, 0.01),
            0.314,
            "shop POST /pay: up to 31.4 % of requests fail",
        ),
        (
            SeriesKey("shop", "http.server.request.duration.p99", unit="s"),
            (0.001, 0.2),
            2.0,
            "shop: p99 request duration up to 2 s, usually below 200 ms",
        ),
        (
            SeriesKey("shop", "requests_per_second", unit="1/s"),
            (10.0, 14.0),
            0.0,
            "shop: requests per second down to 0, usually above 10",
        ),
        (
            SeriesKey("db", "process.cpu.utilization", unit="1"),
            (0.0, 0.08),
            0.97,
            "db: CPU use up to 97 %, usually 0 % to 8 %",
        ),
        (
            SeriesKey("orders", "db.client.connections.usage", unit="{connection}"),
            (0.0, 6.0),
            20.0,
            "orders: database connections in use up to 20, usually 0 to 6",
        ),
    ],
)
def test_a_title_says_what_left_its_usual_range_and_how_far(
    key: SeriesKey, usual: tuple[float, float], peak: float, said: str
) -> None:
    assert title_of(episode(key, usual=usual, peak=peak)) == said


@pytest.mark.parametrize("service", ["shop", "a-service-with-a-long-name-in-a-long-namespace", "x" * 300])
@pytest.mark.parametrize("name", ["duration_p95", "rpc.server.duration.p50", "some.gauge." + "y" * 300])
@pytest.mark.parametrize("operation", ["", "GET /" + "z" * 200])
def test_a_title_is_one_short_line_that_ends_with_the_numbers(service: str, name: str, operation: str) -> None:
    attributes = f'{{"operation": "{operation}"}}' if operation else "{}"
    title = title_of(episode(SeriesKey(service, name, attributes, "s"), usual=(0.1, 0.2), peak=2.5))
    assert len(title) <= LONGEST_TITLE
    assert title.startswith(service[:20])
    assert "up to 2.5" in title


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rpc.server.duration.p50", "median duration"),
        ("checkout_latency_p90", "p90 checkout latency"),
        ("queue_wait_ms", "queue wait"),
        ("kafka.consumer.lag|orders", "kafka consumer lag"),
        ("p99", "p99"),
        ("ms", "ms"),
        ("", ""),
    ],
)
def test_names_are_said_as_people_say_them(name: str, said: str) -> None:
    assert plain_name(name) == said
