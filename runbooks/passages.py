"""A passage: what a search finds, as a plain value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """One chunk of an approved document. `score` is higher for better; only the order means anything across searches."""

    chunk_id: int
    kind: str  # "runbook" or "postmortem"
    slug: str
    title: str
    revision_number: int
    heading: str
    text: str
    position: int
    score: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Passages, best first. `degraded` says in a sentence what was used instead when the vector index was not; "" normally."""

    passages: tuple[Passage, ...]
    degraded: str = ""
