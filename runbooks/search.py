"""Search over approved runbooks and postmortems: nearest vectors and matching words, fused by rank.

PostgreSQL has the last word: what the vector index returns counts only if its passage still belongs to an approved revision.
Without the index, or without the embedding model, the words alone answer, and the result says so.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import Q

from runbooks.chunking import split_names
from runbooks.embedding import EmbeddingUnavailable, embed_query, load_query_model
from runbooks.index import SEARCH_SECONDS, IndexUnavailable, VectorIndex, import_client
from runbooks.models import Chunk, Revision
from runbooks.passages import Passage, SearchResult

logger = logging.getLogger(__name__)

MAX_QUERY = 2_000  # characters; the embedding model reads about half of that
CANDIDATES = 50  # of each kind before fusing
FILTERED_CANDIDATES = 200  # nearest vectors asked for when some of them may be filtered out
MAX_PER_DOCUMENT = 2  # passages, so that one long runbook does not fill the answer
RANK_OFFSET = 60  # of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)
VECTOR_WEIGHT = 0.9  # of a rank among vectors against one among words: a word search without a match stays empty, a vector search never does
# About how many passages the word search scores: the commonest words are left out of the match before there are more.
MAX_MATCHES = 800
SATURATION, LENGTH_SHARE, USUAL_LENGTH = 1.2, 0.4, 60  # BM25's k1, b, and different words in a usual passage


@dataclass(frozen=True, slots=True)
class _Filter:
    """What the caller limits a search to; empty means no limit."""

    services: tuple[str, ...]
    kinds: tuple[str, ...]


def search(query: str, *, limit: int = 5, services: Sequence[str] = (), kinds: Sequence[str] = ()) -> SearchResult:
    """Return up to `limit` passages of approved documents for the words of a person, an alert or a log line, best first.

    `services` limits it to documents about one of them, or about no service in particular; `kinds` to "runbook" or "postmortem".
    Never raises for a missing index or model: `degraded` then says what was used instead.
    """
    wanted = _Filter(services=tuple(services), kinds=tuple(kinds))
    text = query[:MAX_QUERY].replace("\x00", " ")
    if not text.strip():
        return SearchResult(passages=())
    by_words = _by_words(text, wanted)
    degraded = ""
    by_vector: list[int] = []
    try:
        by_vector = _by_vector(text, wanted)
    except (IndexUnavailable, EmbeddingUnavailable) as error:
        logger.warning("Search by words alone: %s", error)
        degraded = f"Found by their words alone, so differently worded passages may be missing. {error}"
    chunks = _permitted({*by_words, *by_vector}, wanted)
    passages = _spread(_fused([(1.0, by_words), (VECTOR_WEIGHT, by_vector)], among=chunks), chunks, limit=limit)
    return SearchResult(passages=passages, degraded=degraded)


def warm_up() -> None:
    """Load what a first search would wait for: Chroma's client and the query model. Opens no connection, so a fork may follow."""
    try:
        import_client()
        load_query_model()
    except (ImportError, EmbeddingUnavailable) as error:
        logger.warning("Searches will go by words alone: %s", error)


def _by_vector(text: str, wanted: _Filter) -> list[int]:
    limit = FILTERED_CANDIDATES if wanted.services or wanted.kinds else CANDIDATES
    return VectorIndex(settings.CHROMA_URL, seconds=SEARCH_SECONDS).nearest(embed_query(text), limit=limit)


def _by_words(text: str, wanted: _Filter) -> list[int]:
    """Return passage ids by BM25 over the words of their heading and text, best first (Robertson and Zaragoza 2009).

    A passage needs one of the words. The rarest words come first; once they match MAX_MATCHES passages, commoner ones only add to the score.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT unnest(tsvector_to_array(to_tsvector('english', %s)))",
            [split_names(text, keep_whole=False)],
        )
        terms = {lexeme: _as_query(lexeme) for (lexeme,) in cursor.fetchall()}
        cursor.execute(
            "SELECT term, (SELECT count(*) FROM runbooks_chunk WHERE search @@ term::tsquery), (SELECT count(*) FROM runbooks_chunk)"
            " FROM unnest(%s::text[]) AS term",
            [list(terms.values())],
        )
        counts = {term: (found, total) for term, found, total in cursor.fetchall() if found}
        if not counts:
            return []
        rarity = {term: math.log(1 + (total - found + 0.5) / (found + 0.5)) for term, (found, total) in counts.items()}
        lexemes = [lexeme for lexeme, term in terms.items() if term in counts]
        cursor.execute(
            _SCORED,
            {
                "saturation": SATURATION,
                "length_share": LENGTH_SHARE,
                "usual_length": USUAL_LENGTH,
                "lexemes": lexemes,
                "rarity": [rarity[terms[lexeme]] for lexeme in lexemes],
                "match": " | ".join(_rarest({term: found for term, (found, _) in counts.items()})),
                "approved": Revision.State.APPROVED,
                "kinds": list(wanted.kinds),
                "services": list(wanted.services),
                "limit": CANDIDATES,
            },
        )
        return [chunk_id for chunk_id, _ in cursor.fetchall()]


_SCORED = """
SELECT chunk.id,
       sum(word.rarity * found.times * (%(saturation)s + 1)
           / (found.times + %(saturation)s * (1 - %(length_share)s + %(length_share)s * length(chunk.search) / %(usual_length)s))) AS score
  FROM runbooks_chunk AS chunk
  JOIN runbooks_revision AS revision ON revision.id = chunk.revision_id AND revision.state = %(approved)s
  JOIN runbooks_document AS document ON document.id = revision.document_id
 CROSS JOIN LATERAL (SELECT entry.lexeme, coalesce(cardinality(entry.positions), 1)::float8 AS times FROM unnest(chunk.search) AS entry) AS found
  JOIN unnest(%(lexemes)s::text[], %(rarity)s::float8[]) AS word(lexeme, rarity) ON word.lexeme = found.lexeme
 WHERE chunk.search @@ %(match)s::tsquery
   AND (cardinality(%(kinds)s::text[]) = 0 OR document.kind = ANY(%(kinds)s::text[]))
   AND (cardinality(%(services)s::text[]) = 0 OR document.services = '[]'::jsonb OR document.services ?| %(services)s::text[])
 GROUP BY chunk.id
 ORDER BY score DESC, chunk.id
 LIMIT %(limit)s
"""


def _as_query(lexeme: str) -> str:
    """Quote a lexeme for a tsquery."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _rarest(found: Mapping[str, int]) -> list[str]:
    """Return the rarest words that together match no more than MAX_MATCHES passages, and always one."""
    chosen: list[str] = []
    matches = 0
    for term, count in sorted(found.items(), key=lambda entry: entry[1]):
        matches += count
        if chosen and matches > MAX_MATCHES:
            break
        chosen.append(term)
    return chosen


def _permitted(chunk_ids: Iterable[int], wanted: _Filter) -> dict[int, Chunk]:
    """Fetch those passages that may be shown: of an approved revision, and within the filter."""
    condition = Q(pk__in=list(chunk_ids), revision__state=Revision.State.APPROVED)
    if wanted.kinds:
        condition &= Q(revision__document__kind__in=wanted.kinds)
    if wanted.services:
        condition &= Q(revision__document__services=[]) | Q(
            revision__document__services__has_any_keys=list(wanted.services)
        )
    chunks = (
        Chunk.objects.filter(condition)
        .select_related("revision__document")
        .defer("search", "words", "revision__markdown")
    )
    return {chunk.pk: chunk for chunk in chunks}


def _fused(rankings: Sequence[tuple[float, Sequence[int]]], *, among: Mapping[int, Chunk]) -> list[tuple[float, int]]:
    """Fuse (weight, ranking) pairs by reciprocal rank, counting only permitted passages: (score, id), best first."""
    scores: dict[int, float] = {}
    for weight, ranking in rankings:
        for rank, chunk_id in enumerate((chunk_id for chunk_id in ranking if chunk_id in among), start=1):
            scores[chunk_id] = scores.get(chunk_id, 0.0) + weight / (RANK_OFFSET + rank)
    return sorted(((score, chunk_id) for chunk_id, score in scores.items()), key=lambda entry: (-entry[0], entry[1]))


def _spread(ranked: Iterable[tuple[float, int]], chunks: Mapping[int, Chunk], *, limit: int) -> tuple[Passage, ...]:
    """Take the best `limit` passages, at most MAX_PER_DOCUMENT of one document."""
    taken: list[Passage] = []
    per_document: dict[int, int] = {}
    for score, chunk_id in ranked:
        document_id = chunks[chunk_id].revision.document_id
        if per_document.get(document_id, 0) == MAX_PER_DOCUMENT:
            continue
        per_document[document_id] = per_document.get(document_id, 0) + 1
        taken.append(_passage(chunks[chunk_id], score))
        if len(taken) == limit:
            break
    return tuple(taken)


def _passage(chunk: Chunk, score: float) -> Passage:
    revision = chunk.revision
    return Passage(
        chunk_id=chunk.pk,
        kind=revision.document.kind,
        slug=revision.document.slug,
        title=revision.title,
        revision_number=revision.number,
        heading=chunk.heading,
        text=chunk.text,
        position=chunk.position,
        score=score,
    )
