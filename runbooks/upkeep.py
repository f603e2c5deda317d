"""Bring the vector index in step with the approved passages: embed what is new, forget what is gone, rebuild what was lost.

The rows are the hand-off. A revision is claimed by a conditional UPDATE with a lease that each batch renews, and every passage is
marked when the index has it; a worker that dies in the middle loses one batch at most, and another resumes when the lease is out.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest

from runbooks.curation import cut
from runbooks.embedding import MODEL_NAME, embed_documents
from runbooks.index import CollectionBroken, CollectionMissing, VectorIndex
from runbooks.models import Chunk, Revision

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
PAUSE = timedelta(seconds=30)  # before a revision whose embedding went wrong is tried again
BATCH = 32
MAX_ATTEMPTS = 3  # without a single batch done in between
SAMPLE = 5

_INDEXED = Q(indexed_at__isnull=False, embedding_model=MODEL_NAME)


@dataclass(frozen=True, slots=True)
class Progress:
    """How many approved passages there are, and how many of them the vector index has."""

    passages: int
    indexed: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a comparison of the index with PostgreSQL found: passages it lacked, and ones it should no longer have."""

    missing: int
    forgotten: int
    was_reset: bool


def progress() -> Progress:
    """Count approved passages and those of them that are in the vector index, as far as PostgreSQL knows."""
    approved = Chunk.objects.filter(revision__state=Revision.State.APPROVED)
    return Progress(passages=approved.count(), indexed=approved.filter(_INDEXED).count())


def waiting(*, now: datetime) -> list[int]:
    """Return the ids of approved revisions that want embedding and that nobody works on, oldest first."""
    return list(_unclaimed(now).order_by("approved_at", "pk").values_list("pk", flat=True))


def claim(revision_id: int, *, now: datetime) -> bool:
    """Take a waiting revision for LEASE; False when somebody else has it or nothing is to be done."""
    return bool(_unclaimed(now).filter(pk=revision_id).update(claimed_until=now + LEASE, attempts=F("attempts") + 1))


def embed_batch(revision_id: int, *, now: datetime) -> bool:
    """Embed and index the next passages of a claimed revision, at most BATCH; True while there are more.

    Raises EmbeddingUnavailable or IndexUnavailable; what was done before stays done.
    """
    revision = Revision.objects.filter(pk=revision_id, state=Revision.State.APPROVED).first()
    if revision is None:
        return False
    if revision.chunked_at is None:
        with transaction.atomic():
            cut(revision, now=now)
    batch = list(revision.chunks.exclude(_INDEXED).defer("search", "words")[:BATCH])
    if batch:
        vectors = embed_documents([f"{chunk.heading}\n{chunk.text}" for chunk in batch])
        _index().upsert(
            {chunk.pk: vector for chunk, vector in zip(batch, vectors, strict=True)},
            sha256={chunk.pk: chunk.sha256 for chunk in batch},
        )
        # Marked only after the index has them: dying in between repeats an upsert by the same ids, which changes nothing.
        Chunk.objects.filter(pk__in=[chunk.pk for chunk in batch]).update(indexed_at=now, embedding_model=MODEL_NAME)
    more = len(batch) == BATCH
    Revision.objects.filter(pk=revision_id).update(
        claimed_until=now + LEASE if more else None, indexed_at=None if more else now, attempts=0, failure=""
    )
    return more


def put_off(revision_id: int, *, reason: str, now: datetime) -> None:
    """Leave a claimed revision for later because something else is missing; that does not count as an attempt."""
    Revision.objects.filter(pk=revision_id).update(
        claimed_until=now + PAUSE, attempts=Greatest(F("attempts") - 1, 0), failure=f"Waiting: {reason}"
    )


def note_failure(revision_id: int, *, reason: str, now: datetime) -> None:
    """Record that embedding a claimed revision went wrong; after MAX_ATTEMPTS it waits for a person."""
    Revision.objects.filter(pk=revision_id).update(claimed_until=now + PAUSE, failure=reason)


def try_again(revision: Revision) -> None:
    """Let a revision that was given up on be embedded again."""
    Revision.objects.filter(pk=revision.pk).update(attempts=0, failure="", claimed_until=None)


def explain_deaths(*, now: datetime) -> None:
    """Say why nothing happens to a revision whose workers died without a word, each time."""
    Revision.objects.filter(
        state=Revision.State.APPROVED, indexed_at=None, attempts__gte=MAX_ATTEMPTS, claimed_until__lt=now, failure=""
    ).update(failure=f"The worker that embedded it died {MAX_ATTEMPTS} times. Its log says more; then try again.")


def why_incomplete(*, seconds: float) -> str | None:
    """Return why a search may miss passages by their meaning, None when the index has them all. Each of two requests may take `seconds`.

    Raises IndexUnavailable when the server does not answer, or cannot read its data.
    """
    known = progress()
    try:
        held = VectorIndex(settings.CHROMA_URL, seconds=seconds).count()
    except CollectionMissing:
        held = 0
    having = min(held, known.indexed)
    if having == known.passages:
        return None
    return f"has {having} of {known.passages} passages and is being filled; the others are found by their words"


def is_in_step() -> bool:
    """Tell cheaply, by counting, whether the index holds what it should. Raises IndexUnavailable when the server does not answer."""
    try:
        return _index().count() == _approved_and_indexed().count()
    except (CollectionMissing, CollectionBroken) as error:
        logger.warning("%s", error)
        return False


def reconcile() -> Reconciliation:
    """Compare the index with PostgreSQL passage by passage, and try a sample; make wanting what it lacks and delete what it should not have.

    A collection that is missing, unreadable, or does not find its own passages is made anew, empty; the passages then wait to be
    embedded and are found by their words meanwhile. Raises IndexUnavailable when the server does not answer.
    """
    index = _index()
    try:
        held = index.contents()
        expected = dict(_approved_and_indexed().values_list("pk", "sha256"))
        intact = [pk for pk, sha256 in expected.items() if held.get(pk) == sha256]
        if not _finds_a_sample(index, of=intact):
            raise CollectionBroken(f"The vector index at {index.url} does not find its own passages.")
    except (CollectionMissing, CollectionBroken) as error:
        lost = _want(_approved_and_indexed())
        index.reset()
        logger.warning("%s It was made anew; %d passages will be embedded again.", error, lost)
        return Reconciliation(missing=lost, forgotten=0, was_reset=True)
    missing = _want(Chunk.objects.filter(pk__in=expected.keys() - set(intact)))
    gone = held.keys() - set(Chunk.objects.filter(revision__state=Revision.State.APPROVED).values_list("pk", flat=True))
    index.delete(gone)
    return Reconciliation(missing=missing, forgotten=len(gone), was_reset=False)


def _index() -> VectorIndex:
    return VectorIndex(settings.CHROMA_URL)


def _unclaimed(now: datetime) -> QuerySet[Revision]:
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    return Revision.objects.filter(free, state=Revision.State.APPROVED, indexed_at=None, attempts__lt=MAX_ATTEMPTS)


def _approved_and_indexed() -> QuerySet[Chunk]:
    return Chunk.objects.filter(_INDEXED, revision__state=Revision.State.APPROVED)


def _finds_a_sample(index: VectorIndex, *, of: Sequence[int]) -> bool:
    """Embed a few of the passages anew: each must be, or read the same as, one of those nearest to it."""
    sample = list(Chunk.objects.filter(pk__in=of).defer("search", "words").order_by("?")[:SAMPLE])
    vectors = embed_documents([f"{chunk.heading}\n{chunk.text}" for chunk in sample])
    for chunk, vector in zip(sample, vectors, strict=True):
        nearest = index.nearest(vector, limit=SAMPLE)
        if chunk.pk not in nearest and not Chunk.objects.filter(pk__in=nearest, sha256=chunk.sha256).exists():
            return False
    return True


def _want(chunks: QuerySet[Chunk]) -> int:
    """Have the passages embedded again; return how many."""
    with transaction.atomic():
        chunk_ids = list(chunks.values_list("pk", flat=True))
        Revision.objects.filter(chunks__in=chunk_ids).update(indexed_at=None, claimed_until=None, attempts=0)
        return Chunk.objects.filter(pk__in=chunk_ids).update(indexed_at=None)
