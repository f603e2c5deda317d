"""The recordings that are shipped: readable, small, calm before the fault, and true to what their `truth.json` says."""

import gzip
import json
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from django.conf import settings

from demo.record import RECORDINGS
from demo.shop.faults import FAULTS
from incidents.intake.masking import mask
from incidents.telemetry.datamodel import Window
from incidents.telemetry.recording import Recording

MOST_BYTES = 6_000_000
SERVICES = {"storefront", "catalog", "cart", "orders", "payments"}


@cache
def recording(name: str) -> Recording:
    return Recording.load(RECORDINGS / name, mask=mask)


def truth(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDINGS / name / "truth.json").read_text())
    return found


def before_and_after(name: str) -> tuple[Window, Window]:
    whole = recording(name).window
    injected_at = datetime.fromisoformat(truth(name)["injected_at"])
    return Window(whole.start, injected_at), Window(injected_at + timedelta(seconds=30), whole.end)


def median(name: str, window: Window, *, service: str, metric: str, attributes: str = "{}") -> float:
    series = [
        s
        for s in recording(name).fetch_metrics(window, services=[service])
        if s.key.name == metric and s.key.attributes.replace(" ", "") == attributes
    ]
    assert len(series) == 1, f"{service} {metric} {attributes}: {len(series)} series"
    return float(np.nanmedian(series[0].values))


def test_all_together_are_small() -> None:
    files = [path for path in RECORDINGS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == set(FAULTS)
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES


@pytest.mark.parametrize("name", FAULTS)
def test_it_reads_whole_and_reports_every_service(name: str) -> None:
    found = recording(name)
    assert found.broken == ()
    assert {span.service for span in found.spans} == SERVICES
    assert {line.service for line in found.logs} >= {"storefront", "catalog", "orders", "payments"}
    assert 540 <= found.window.seconds <= 680
    assert truth(name)["service"] == FAULTS[name].service
    assert found.window.start < datetime.fromisoformat(truth(name)["injected_at"]) < found.window.end


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_fails_before_the_fault(name: str) -> None:
    quiet, _ = before_and_after(name)
    spans = recording(name).fetch_spans(quiet)
    assert len(spans) > 8_000
    assert int(spans.is_error.sum()) == 0


@pytest.mark.parametrize("name", FAULTS)
def test_cards_and_addresses_are_masked_and_no_place_is_named(name: str) -> None:
    bodies = "\n".join(line.body for line in recording(name).logs)
    assert "charged" in bodies
    assert "4111111111111111" not in bodies
    assert "@example.com" not in bodies
    for path in (RECORDINGS / name).glob("*.gz"):
        raw = gzip.decompress(path.read_bytes()).decode()
        assert str(settings.BASE_DIR) not in raw
        assert "/root/" not in raw


@pytest.mark.parametrize(
    ("name", "service", "metric", "attributes", "least_factor"),
    [
        ("leaked-connection-pool", "payments", "duration_p95", "{}", 5),
        ("missing-index", "orders", "duration_p95", '{"operation":"GET/orders"}', 5),
        ("slow-downstream", "payments", "duration_p95", "{}", 10),
        ("cpu-hog", "catalog", "process.cpu.utilization", "{}", 5),
        ("cache-stampede", "catalog", "duration_p95", "{}", 5),
    ],
)
def test_the_fault_shows_where_it_is(
    name: str, service: str, metric: str, attributes: str, least_factor: float
) -> None:
    quiet, broken = before_and_after(name)
    usual = median(name, quiet, service=service, metric=metric, attributes=attributes)
    assert median(name, broken, service=service, metric=metric, attributes=attributes) > least_factor * usual


def test_the_bad_deploy_raises_and_is_seen_as_a_change() -> None:
    quiet, broken = before_and_after("bad-deploy")
    assert median("bad-deploy", quiet, service="catalog", metric="error_ratio") == 0
    assert median("bad-deploy", broken, service="catalog", metric="error_ratio") > 0.05
    (change,) = recording("bad-deploy").fetch_changes(recording("bad-deploy").window)
    assert (change.service, change.version_before, change.version_after) == ("catalog", "2.3.1", "2.4.0")


def test_the_cache_that_keeps_nothing_never_hits() -> None:
    quiet, broken = before_and_after("cache-stampede")
    assert median("cache-stampede", quiet, service="catalog", metric="cache.hit.ratio") > 0.9
    assert median("cache-stampede", broken, service="catalog", metric="cache.hit.ratio") == 0
