"""What the pages show of documents: plain values, with how fresh a text is and how far its embedding got."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Q
from django.utils.text import Truncator

from runbooks.chunking import plain_text
from runbooks.models import Document, Revision
from runbooks.passages import Passage

FRESH_FOR = timedelta(days=180)  # after that a person should look at it again
EXCERPT = 320  # characters of a passage


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list. `reviewed_days` is how long ago a person last vouched for the text; None when nobody did."""

    slug: str
    kind: str
    title: str
    state: str
    number: int
    has_draft: bool
    services: tuple[str, ...]
    owner: str
    reviewed_days: int | None
    is_stale: bool
    passages: int
    indexed: int
    failure: str


@dataclass(frozen=True, slots=True)
class Page:
    """One revision, as its page shows it."""

    row: Row
    tags: tuple[str, ...]
    source: str
    author: str
    approved_by: str
    approved_at: datetime | None
    reviewed_on: date | None
    next_review: date | None
    gave_up: bool


@dataclass(frozen=True, slots=True)
class Version:
    """One line of a document's history."""

    number: int
    state: str
    title: str
    author: str
    approved_by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage that a search found, with the beginning of its text."""

    slug: str
    position: int
    heading: str
    kind: str
    excerpt: str


def hits(passages: Sequence[Passage]) -> list[Hit]:
    """Return the passages as the list shows them: without Markdown's signs, cut to a few lines."""
    return [
        Hit(
            passage.slug,
            passage.position,
            passage.heading,
            passage.kind,
            Truncator(plain_text(passage.text)).chars(EXCERPT),
        )
        for passage in passages
    ]


def rows(*, kinds: Sequence[str] = (), today: date) -> list[Row]:
    """Return a line per document, runbooks before postmortems, by title: its approved revision, or its newest if none is approved."""
    revisions = Revision.objects.select_related("document").annotate(
        passages=Count("chunks"),
        indexed=Count("chunks", filter=Q(chunks__indexed_at__isnull=False)),
        is_approved=Q(state=Revision.State.APPROVED),
    )
    if kinds:
        revisions = revisions.filter(document__kind__in=kinds)
    shown: dict[int, Row] = {}
    drafts = set(Revision.objects.filter(state=Revision.State.DRAFT).values_list("document_id", flat=True))
    # A document's approved revision comes first, then its others, newest first; the first one seen is the one shown.
    for revision in revisions.order_by("document_id", "-is_approved", "-number").defer("markdown"):
        if revision.document_id not in shown:
            shown[revision.document_id] = _row(revision, today=today, has_draft=revision.document_id in drafts)
    return sorted(shown.values(), key=lambda row: (row.kind != Document.Kind.RUNBOOK, row.title.lower()))


def page(revision: Revision, *, today: date) -> Page:
    """Return what the revision's page says about it."""
    counted = (
        Revision.objects.annotate(
            passages=Count("chunks"), indexed=Count("chunks", filter=Q(chunks__indexed_at__isnull=False))
        )
        .select_related("document", "author", "approved_by")
        .get(pk=revision.pk)
    )
    vouched = _vouched_on(counted)
    has_draft = counted.document.revisions.filter(state=Revision.State.DRAFT).exists()
    return Page(
        row=_row(counted, today=today, has_draft=has_draft),
        tags=tuple(counted.document.tags),
        source=counted.source,
        author=_name(counted.author),
        approved_by=_name(counted.approved_by),
        approved_at=counted.approved_at,
        reviewed_on=counted.reviewed_on,
        next_review=vouched + FRESH_FOR if vouched else None,
        gave_up=bool(counted.failure) and counted.indexed_at is None and not counted.failure.startswith("Waiting"),
    )


def history(document: Document) -> list[Version]:
    """Return the document's revisions, newest first."""
    return [
        Version(
            number=revision.number,
            state=revision.state,
            title=revision.title,
            author=_name(revision.author) or revision.source,
            approved_by=_name(revision.approved_by),
            at=revision.approved_at or revision.created_at,
        )
        for revision in document.revisions.select_related("author", "approved_by").defer("markdown")
    ]


def _row(revision: Revision, *, today: date, has_draft: bool) -> Row:
    vouched = _vouched_on(revision)
    return Row(
        slug=revision.document.slug,
        kind=revision.document.kind,
        title=revision.title,
        state=revision.state,
        number=revision.number,
        has_draft=has_draft,
        services=tuple(revision.document.services),
        owner=revision.document.owner,
        reviewed_days=(today - vouched).days if vouched else None,
        # A postmortem tells what happened; it does not go stale.
        is_stale=revision.document.kind == Document.Kind.RUNBOOK and (vouched is None or today - vouched > FRESH_FOR),
        passages=int(getattr(revision, "passages", 0)),
        indexed=int(getattr(revision, "indexed", 0)),
        failure=revision.failure,
    )


def _vouched_on(revision: Revision) -> date | None:
    return revision.reviewed_on or (revision.approved_at.date() if revision.approved_at else None)


def _name(user: object) -> str:
    return str(user) if user else ""
