"""Seconds from an opened incident to its brief, evidence included, while the hot store holds an hour with a million spans."""

import time
from datetime import timedelta

import pytest
from django.conf import settings

from copilot import pipeline
from incidents import lifecycle
from incidents.detection.anomaly import AnomalyGroup
from incidents.models import Investigation
from incidents.telemetry.store import HotStore
from runbooks import search
from tests.benchmarks.bench_hot_store import QUARTER, SERVICES, SPANS, batches

TARGET_SECONDS = 2.0


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(1_800)
def test_brief() -> None:
    store = HotStore(settings.DATABASE_URL, schema="replay_bench_brief")
    store.drop_schema()
    store.prepare()
    for batch in batches():
        store.write(batch)
    search.warm_up()
    opened_at = QUARTER.start + timedelta(minutes=1)
    group = AnomalyGroup((), (SERVICES[0],), QUARTER.start, opened_at, 2, f"{SERVICES[0]}: 12 % of requests fail")
    incident = lifecycle.open_or_join(group, source=store.schema, now=opened_at)

    began = time.perf_counter()
    pipeline.investigate(incident.pk, now=opened_at, backend=store)
    seconds = time.perf_counter() - began

    stages = Investigation.objects.get(incident=incident).stage_seconds
    print(f"\nBrief with {SPANS:,} spans stored: {seconds:.2f} s (target {TARGET_SECONDS:g} s); {stages}")
    store.drop_schema()
