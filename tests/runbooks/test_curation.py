"""Draft, approve, retire: one approved revision and one draft at most."""

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from runbooks import curation
from runbooks.models import Chunk, Document, Revision
from tests.runbooks.library import NOW, POOL, write

pytestmark = pytest.mark.django_db


def test_an_edit_leaves_the_approved_text_searchable_until_it_is_approved() -> None:
    first = write("Pool", POOL)
    draft = curation.revise(first.document, curation.Text(title="Pool", markdown="New."), by=None, now=NOW)
    assert (draft.number, draft.state) == (2, Revision.State.DRAFT)
    assert set(Chunk.objects.values_list("revision", flat=True)) == {first.pk}
    curation.approve(draft, by=None, now=NOW)
    first.refresh_from_db()
    assert first.state == Revision.State.RETIRED
    assert set(Chunk.objects.values_list("revision", flat=True)) == {draft.pk}


def test_saving_a_draft_again_makes_no_further_revision() -> None:
    first = write("Pool", POOL, approve=False)
    again = curation.revise(first.document, curation.Text(title="Pool", markdown="Better."), by=None, now=NOW)
    assert (again.pk, again.markdown) == (first.pk, "Better.")


def test_who_approved_is_kept() -> None:
    mira = User.objects.create_user("mira")
    revision = curation.approve(write("Pool", POOL, approve=False), by=mira, now=NOW)
    assert (revision.approved_by, revision.approved_at) == (mira, NOW)


def test_only_a_draft_is_approved_and_only_an_approved_one_retired() -> None:
    revision = write("Pool", POOL)
    with pytest.raises(curation.CurationError, match="only a draft"):
        curation.approve(revision, by=None, now=NOW)
    curation.retire(revision)
    with pytest.raises(curation.CurationError, match="only an approved"):
        curation.retire(revision)


def test_a_second_editor_does_not_overwrite_the_first() -> None:
    mira = User.objects.create_user("mira")
    draft = write("Pool", POOL, approve=False)
    seen = curation.mark(draft)
    later = NOW.replace(minute=5)
    curation.revise(draft.document, curation.Text(title="Pool", markdown="Mira's."), by=mira, now=later, seen=seen)
    with pytest.raises(curation.CurationError, match="mira changed this draft"):
        curation.revise(draft.document, curation.Text(title="Pool", markdown="Mine."), by=None, now=later, seen=seen)
    assert Revision.objects.get(pk=draft.pk).markdown == "Mira's."


def test_discarding_the_only_draft_removes_the_document() -> None:
    curation.discard(write("Pool", POOL, approve=False))
    assert not Document.objects.exists()


@pytest.mark.parametrize(
    ("title", "markdown", "reason"),
    [
        ("", "x", "title and a text"),
        ("x", " \n", "title and a text"),
        ("new", "x", "no address"),
        ("🍵", "x", "no address"),
        ("x", "a\x00", "NUL"),
        ("x", "a" * 200_001, "200,001"),
    ],
)
def test_an_unusable_text_is_refused_with_the_reason(title: str, markdown: str, reason: str) -> None:
    with pytest.raises(curation.CurationError, match=reason):
        curation.draft(curation.Text(title=title, markdown=markdown), kind=Document.Kind.RUNBOOK, by=None, now=NOW)


def test_a_title_is_taken_once() -> None:
    write("Pool", POOL)
    with pytest.raises(curation.CurationError, match="already"):
        write("Pool", POOL)


def test_the_database_refuses_a_second_approved_revision() -> None:
    revision = write("Pool", POOL)
    with pytest.raises(IntegrityError), transaction.atomic():
        Revision.objects.create(
            document=revision.document, number=9, state=Revision.State.APPROVED, title="x", markdown="x", created_at=NOW
        )
