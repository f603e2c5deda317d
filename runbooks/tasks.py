"""Celery tasks of the `embed` queue. Its worker runs one process: the embedding library takes some 600 MB."""

import logging
import time
from typing import Any

from celery import shared_task
from celery.signals import worker_init
from django.utils import timezone

from runbooks import search, upkeep
from runbooks.embedding import EmbeddingUnavailable
from runbooks.index import IndexUnavailable

logger = logging.getLogger(__name__)

SECONDS_AT_A_TIME = 120  # well under the task's time limit; the next tick goes on


@worker_init.connect
def load_before_forking(**_: Any) -> None:
    """Load what searches need once, in the worker's parent, so that its processes share the memory."""
    search.warm_up()


@shared_task(name="runbooks.tasks.embed_revision")
def embed_revision(revision_id: int) -> None:
    """Embed one approved revision, unless somebody else does."""
    if not upkeep.claim(revision_id, now=timezone.now()):
        return
    try:
        while upkeep.embed_batch(revision_id, now=timezone.now()):
            continue
    except (IndexUnavailable, EmbeddingUnavailable) as error:
        upkeep.put_off(revision_id, reason=str(error), now=timezone.now())
        logger.warning("Revision %d is not embedded yet: %s", revision_id, error)
    except (RuntimeError, ValueError) as error:  # what torch and the tokenizer raise
        upkeep.note_failure(revision_id, reason=f"{type(error).__name__}: {error}", now=timezone.now())
        logger.exception("Revision %d could not be embedded", revision_id)


@shared_task(name="runbooks.tasks.embed_pending")
def embed_pending() -> None:
    """Embed every waiting revision; when there is none, see by a count whether the index lost something."""
    upkeep.explain_deaths(now=timezone.now())
    waiting = upkeep.waiting(now=timezone.now())
    stop_at = time.monotonic() + SECONDS_AT_A_TIME
    for revision_id in waiting:
        if time.monotonic() > stop_at:
            break
        embed_revision(revision_id)
    if not waiting:
        _mend(only_if_counts_differ=True)


@shared_task(name="runbooks.tasks.verify_index")
def verify_index() -> None:
    """Compare the index with PostgreSQL passage by passage, and try whether it finds a sample."""
    _mend(only_if_counts_differ=False)


def _mend(*, only_if_counts_differ: bool) -> None:
    try:
        if only_if_counts_differ and upkeep.is_in_step():
            return
        found = upkeep.reconcile()
    except (IndexUnavailable, EmbeddingUnavailable) as error:
        logger.warning("The vector index was not compared: %s", error)
        return
    logger.info(
        "Vector index compared: %d passages missing, %d forgotten, made anew: %s",
        found.missing,
        found.forgotten,
        found.was_reset,
    )
