"""Search: by meaning and by words, approved revisions only, and words alone when the index is away (faults 65 and 69)."""

import pytest
from pytest_django.fixtures import Settings

from runbooks import curation, upkeep
from runbooks.index import VectorIndex
from runbooks.models import Chunk, Document, Revision
from runbooks.search import search
from tests.runbooks.library import NOW, small_library, write

pytestmark = pytest.mark.django_db

NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing answers


@pytest.fixture
def library(chroma_url: str, settings: Settings) -> dict[str, Revision]:
    """The small library, embedded into an emptied index."""
    settings.CHROMA_URL = chroma_url
    VectorIndex(chroma_url).reset()
    made = small_library()
    for revision_id in upkeep.waiting(now=NOW):
        upkeep.claim(revision_id, now=NOW)
        upkeep.embed_batch(revision_id, now=NOW)
    return made


def test_finds_what_is_worded_differently(library: dict[str, Revision], settings: Settings) -> None:
    query = "hoarded sql sockets make everybody queue"
    assert search(query).passages[0].slug == "connection-pool-exhausted"
    settings.CHROMA_URL = NOWHERE
    assert search(query).passages == (), "none of these words is in a text"


def test_finds_an_exact_log_line(library: dict[str, Revision]) -> None:
    best = search(
        "ERROR payments POST /charges answered 503: no database connection within 2 s: 5 of 5 in use"
    ).passages[0]
    assert (best.slug, best.heading) == ("connection-pool-exhausted", "Connection pool exhausted › Confirm")
    assert "5 of 5 in use" in best.text
    assert best.revision_number == 1


def test_a_metric_is_found_by_its_parts(library: dict[str, Revision]) -> None:
    assert search("CacheHitRatio").passages[0].slug == "cache-stampede"


def test_limits_by_service_and_kind(library: dict[str, Revision]) -> None:
    anything = write("Any service slow", "The connection pool or the cache or the network may be slow.")
    assert {p.slug for p in search("connection pool cache", services=["catalog"]).passages} == {
        "cache-stampede",
        anything.document.slug,
    }
    assert {p.kind for p in search("connection", kinds=[Document.Kind.POSTMORTEM]).passages} == {"postmortem"}


def test_a_long_document_leaves_room_for_others(library: dict[str, Revision]) -> None:
    write(
        "Everything about connections",
        "\n\n".join(f"## Connection {n}\n\nA connection pool of connections." for n in range(20)),
    )
    slugs = [passage.slug for passage in search("connection pool", limit=5).passages]
    assert slugs.count("everything-about-connections") == 2
    assert "connection-pool-exhausted" in slugs


def test_a_draft_is_not_found_and_a_retired_text_is_gone_at_once(library: dict[str, Revision]) -> None:
    write("Draft about zebras", "Zebras in the connection pool.", approve=False)
    assert all("zebra" not in passage.text.lower() for passage in search("zebras").passages)
    curation.retire(library["pool"])
    assert VectorIndex(_chroma_of_settings()).count() > Chunk.objects.count(), "the index still has the passages"
    assert all(
        passage.slug != "connection-pool-exhausted" for passage in search("database connection pool exhausted").passages
    )


def test_a_deleted_document_is_gone_at_once(library: dict[str, Revision]) -> None:
    library["cache"].document.delete()
    assert all(passage.slug != "cache-stampede" for passage in search("cache stampede entries live").passages)


def test_an_approved_edit_is_found_before_it_is_embedded(library: dict[str, Revision]) -> None:
    document = library["cache"].document
    curation.approve(
        curation.revise(
            document, curation.Text(title="Cache stampede", markdown="Now about marmalade."), by=None, now=NOW
        ),
        by=None,
        now=NOW,
    )
    best = search("marmalade").passages[0]
    assert (best.slug, best.revision_number) == ("cache-stampede", 2)


def test_without_the_index_words_answer_and_it_says_so(library: dict[str, Revision], settings: Settings) -> None:
    settings.CHROMA_URL = NOWHERE
    found = search("no database connection within 2 s")
    assert found.passages[0].slug == "connection-pool-exhausted"
    assert "by their words alone" in found.degraded
    assert NOWHERE in found.degraded


def test_without_the_collection_words_answer_and_it_says_so(library: dict[str, Revision]) -> None:
    index = VectorIndex(_chroma_of_settings())
    index._collection()._client.delete_collection(index.collection)
    found = search("no database connection within 2 s")
    assert found.passages[0].slug == "connection-pool-exhausted"
    assert found.degraded


@pytest.mark.parametrize(
    "query",
    ["", "   ", "\x00", "'", "\\", "a:*&!|()<->", "'; DROP TABLE runbooks_chunk; --", "🍵", "the of and", "x" * 50_000],
)
def test_any_query_is_answered(library: dict[str, Revision], query: str) -> None:
    assert len(search(query).passages) <= 5


def _chroma_of_settings() -> str:
    from django.conf import settings

    return str(settings.CHROMA_URL)
