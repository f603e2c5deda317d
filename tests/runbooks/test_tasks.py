"""The embed queue, with a real worker on the real broker."""

import time
from collections.abc import Callable

import pytest

from copilot.embedded.child import Child
from runbooks import tasks, upkeep
from tests.runbooks.library import small_library


@pytest.mark.django_db(transaction=True)
def test_a_worker_embeds_what_waits(chroma_url: str, celery_worker: Callable[..., Child]) -> None:
    celery_worker("embed")
    small_library()
    tasks.embed_pending.apply_async(queue="embed")
    deadline = time.monotonic() + 200
    while upkeep.progress().indexed < upkeep.progress().passages:
        assert time.monotonic() < deadline, "the worker embedded nothing"
        time.sleep(0.2)
