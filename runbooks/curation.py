"""Draft, approve, retire: only an approved revision is searchable, and a document has one at most, as well as one draft."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify

from runbooks.chunking import split, split_names
from runbooks.models import Chunk, Document, Revision

MAX_TITLE = 300  # characters
MAX_MARKDOWN = 200_000
RESERVED_SLUGS = {"new", "preview"}  # addresses of pages beside the documents'


class CurationError(Exception):
    """The text or the step asked for is not acceptable; the message says why, for the person who asked."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a person writes. Title, Markdown and review date belong to the revision; the rest describes the document and takes effect at once."""

    title: str
    markdown: str
    services: Sequence[str] = ()
    tags: Sequence[str] = ()
    owner: str = ""
    reviewed_on: date | None = None


def draft(text: Text, *, kind: str, by: AbstractBaseUser | None, now: datetime, source: str = "") -> Revision:
    """Make a new document with a first draft. Raises CurationError for an empty or over-long text, or a title already taken."""
    _check(text)
    slug = slugify(text.title)[:120]
    if not slug or slug in RESERVED_SLUGS:
        raise CurationError(
            f"The title {text.title!r} makes no address of its own: choose one with more letters or digits."
        )
    with transaction.atomic():
        document, is_new = Document.objects.get_or_create(slug=slug, defaults={"kind": kind})
        if not is_new:
            raise CurationError(f"There is already a document called {slug}: edit it, or choose another title.")
        return _save_draft(document, text, by=by, now=now, source=source)


def revise(
    document: Document,
    text: Text,
    *,
    by: AbstractBaseUser | None,
    now: datetime,
    source: str = "",
    seen: str | None = None,
) -> Revision:
    """Write a text into the document's draft, making one beside the approved revision if there is none.

    `seen` is the `mark` of the draft that the writer started from. Raises CurationError when somebody else has saved since then, and for an
    empty or over-long text.
    """
    _check(text)
    with transaction.atomic():
        locked = Document.objects.select_for_update().get(pk=document.pk)
        existing = locked.revisions.filter(state=Revision.State.DRAFT).select_related("author").first()
        if seen is not None and seen != mark(existing):
            raise CurationError(
                f"{existing.author if existing and existing.author else 'Somebody'} changed this draft meanwhile. Nothing of yours was saved: "
                "copy your text, open the draft again, and put your change into it."
            )
        return _save_draft(locked, text, by=by, now=now, source=source)


def approve(revision: Revision, *, by: AbstractBaseUser | None, now: datetime) -> Revision:
    """Make a draft the searchable revision; the one before it is retired. Its passages are found by their words at once, and by their
    vectors once a worker has embedded them.

    Raises CurationError when the revision is not a draft.
    """
    with transaction.atomic():
        document = Document.objects.select_for_update().get(pk=revision.document_id)
        current = Revision.objects.get(pk=revision.pk)
        if current.state != Revision.State.DRAFT:
            raise CurationError(f"{current} is {current.get_state_display().lower()}: only a draft can be approved.")
        for replaced in document.revisions.filter(state=Revision.State.APPROVED):
            _retire(replaced)
        current.state = Revision.State.APPROVED
        current.approved_by_id = by.pk if by else None
        current.approved_at = now
        current.save(update_fields=["state", "approved_by", "approved_at"])
        cut(current, now=now)
    return current


def retire(revision: Revision) -> Revision:
    """Take an approved revision out of use: no search finds it from this transaction on. Raises CurationError when it is not approved."""
    with transaction.atomic():
        Document.objects.select_for_update().get(pk=revision.document_id)
        current = Revision.objects.get(pk=revision.pk)
        if current.state != Revision.State.APPROVED:
            raise CurationError(
                f"{current} is {current.get_state_display().lower()}: only an approved revision can be retired."
            )
        _retire(current)
    return current


def discard(revision: Revision) -> None:
    """Delete a draft, and its document if that has nothing else. Raises CurationError when it is not a draft."""
    with transaction.atomic():
        document = Document.objects.select_for_update().get(pk=revision.document_id)
        if not document.revisions.filter(pk=revision.pk, state=Revision.State.DRAFT).delete()[0]:
            raise CurationError(f"{revision} is no draft any more: only a draft can be discarded.")
        if not document.revisions.exists():
            document.delete()


def mark(existing: Revision | None) -> str:
    """Return what tells one saved state of a draft from another; "" for no draft."""
    return existing.created_at.isoformat() if existing else ""


def cut(revision: Revision, *, now: datetime) -> None:
    """Write the revision's passages anew, to be embedded."""
    revision.chunks.all().delete()
    Chunk.objects.bulk_create(
        [
            Chunk(
                revision=revision,
                position=piece.position,
                heading=piece.heading,
                text=piece.text,
                words=split_names(f"{piece.heading}\n{piece.text}", keep_whole=True),
                sha256=hashlib.sha256(f"{piece.heading}\n{piece.text}".encode()).hexdigest(),
            )
            for piece in split(revision.markdown, title=revision.title)
        ]
    )
    revision.chunked_at = now
    revision.indexed_at = None
    revision.attempts = 0
    revision.failure = ""
    revision.save(update_fields=["chunked_at", "indexed_at", "attempts", "failure"])


def _check(text: Text) -> None:
    if not text.title.strip() or not text.markdown.strip():
        raise CurationError("A title and a text are needed.")
    if len(text.title) > MAX_TITLE:
        raise CurationError(f"The title has {len(text.title)} characters; at most {MAX_TITLE} fit.")
    if len(text.markdown) > MAX_MARKDOWN:
        raise CurationError(
            f"The text has {len(text.markdown):,} characters; at most {MAX_MARKDOWN:,} are taken. Split it into several documents."
        )
    if "\x00" in text.markdown or "\x00" in text.title:
        raise CurationError("The text contains a NUL character, which cannot be stored: remove it.")


def _save_draft(document: Document, text: Text, *, by: AbstractBaseUser | None, now: datetime, source: str) -> Revision:
    document.services, document.tags, document.owner = list(text.services), list(text.tags), text.owner
    document.save()
    newest = document.revisions.aggregate(newest=Max("number"))["newest"] or 0
    revision, _ = Revision.objects.update_or_create(
        document=document,
        state=Revision.State.DRAFT,
        defaults={
            "title": text.title.strip(),
            "markdown": text.markdown,
            "author_id": by.pk if by else None,
            "source": source,
            "reviewed_on": text.reviewed_on,
            "created_at": now,
        },
        create_defaults={
            "number": newest + 1,
            "title": text.title.strip(),
            "markdown": text.markdown,
            "author_id": by.pk if by else None,
            "source": source,
            "reviewed_on": text.reviewed_on,
            "created_at": now,
        },
    )
    return revision


def _retire(revision: Revision) -> None:
    """Its passages go with it; the vector index forgets them later, and PostgreSQL no longer admits them meanwhile."""
    revision.state = Revision.State.RETIRED
    revision.indexed_at = None
    revision.save(update_fields=["state", "indexed_at"])
    revision.chunks.all().delete()
