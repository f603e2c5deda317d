from collections.abc import Iterator

import pytest
from django.conf import settings

from incidents.telemetry.store import HotStore


@pytest.fixture
def store() -> Iterator[HotStore]:
    """An empty hot store on this run's PostgreSQL."""
    store = HotStore(settings.DATABASE_URL, schema="replay_test")
    store.drop_schema()
    store.prepare()
    yield store
    store.drop_schema()
