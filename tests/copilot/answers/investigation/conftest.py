"""A real store with the incident's telemetry, and the incident with its evidence."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import settings
from django.db import connection

from copilot.answers.answering import search_passages
from copilot.answers.investigation.found import Sources
from copilot.answers.investigation.ledger import MemoryLedger
from copilot.answers.investigation.running import Bench
from copilot.answers.investigation.scope import scope_of
from copilot.evidence import bundle as bundles
from copilot.evidence.attached.files import AttachedFile
from copilot.models import LanguageModel
from copilot.privacy.pseudonyms import Pseudonyms
from incidents.models import Incident, Investigation
from incidents.telemetry.store import HotStore
from tests.copilot.answers.cast import BUNDLE, END, START
from tests.copilot.answers.investigation import telemetry

FILE = AttachedFile("pod.log", tuple(f"2026-11-20 02:4{n % 10}:00 line {n} of the pod" for n in range(1, 301)))


@pytest.fixture(scope="session")
def store(django_db_setup: None) -> HotStore:
    held = HotStore(settings.DATABASE_URL, schema=telemetry.SCHEMA)
    held.drop_schema()
    held.prepare()
    held.write(telemetry.batch())
    return held


@pytest.fixture
def sources(store: HotStore) -> Sources:
    return Sources(store, None, BUNDLE, (FILE,), search_passages, END)


@pytest.fixture
def bench(sources: Sources) -> Bench:
    return Bench(scope_of(sources), sources, MemoryLedger(BUNDLE, Pseudonyms()))


@pytest.fixture
def incident(transactional_db: None, store: HotStore) -> Iterator[Incident]:
    opened = Incident.objects.create(
        title="checkout is slow",
        severity=2,
        source=telemetry.SCHEMA,
        started_at=START,
        opened_at=START,
        last_anomaly_at=END,
        services=list(BUNDLE.services),
    )
    Investigation.objects.create(
        incident=opened,
        state=Investigation.State.READY,
        requested_at=START,
        finished_at=END,
        evidence=bundles.to_json(replace(BUNDLE)),
    )
    LanguageModel.objects.create(name="fake", tool_calling=True)
    yield opened
    connection.close_pool()  # calls that run side by side have connections of their own
