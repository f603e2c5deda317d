"""Folders of Markdown come in once, whole, and masked."""

from pathlib import Path

import pytest

from incidents.intake.masking import mask
from runbooks import curation
from runbooks.importing import ImportFailed, import_folder
from runbooks.models import Document, Revision
from tests.runbooks.library import NOW

KNOWLEDGE = Path(__file__).parents[2] / "demo" / "knowledge"

pytestmark = pytest.mark.django_db

POOL = """---
title: "Pool: exhausted"
services: [payments, orders]
tags: database
owner: Team Payments
reviewed: 2026-10-12
---
Use this when it waits.
"""


def test_front_matter_is_read(tmp_path: Path) -> None:
    (tmp_path / "pool.md").write_text(POOL)
    report = import_folder(tmp_path, kind=Document.Kind.RUNBOOK, now=NOW)
    assert report.created == ["pool"]
    revision = Revision.objects.select_related("document").get()
    assert (revision.title, revision.markdown, revision.source) == (
        "Pool: exhausted",
        "Use this when it waits.\n",
        "pool.md",
    )
    assert str(revision.reviewed_on) == "2026-10-12"
    assert (revision.document.services, revision.document.owner) == (["payments", "orders"], "Team Payments")
    assert revision.state == Revision.State.APPROVED


def test_without_front_matter_the_first_heading_is_the_title(tmp_path: Path) -> None:
    (tmp_path / "pool_full.md").write_text("# Pool is full\n\nText.\n")
    (tmp_path / "no-heading.md").write_text("Text.\n")
    import_folder(tmp_path, kind=Document.Kind.RUNBOOK, now=NOW)
    assert set(Revision.objects.values_list("document__slug", "title")) == {
        ("pool_full", "Pool is full"),
        ("no-heading", "No heading"),
    }


def test_importing_again_changes_only_what_changed(tmp_path: Path) -> None:
    (tmp_path / "pool.md").write_text(POOL)
    (tmp_path / "other.md").write_text("# Other\n\nText.\n")
    import_folder(tmp_path, kind=Document.Kind.RUNBOOK, now=NOW)
    (tmp_path / "pool.md").write_text(POOL + "More.\n")
    report = import_folder(tmp_path, kind=Document.Kind.RUNBOOK, now=NOW)
    assert (report.revised, report.unchanged) == (["pool"], ["other"])
    assert Revision.objects.count() == 3


def test_a_persons_edit_survives_an_unchanged_import(tmp_path: Path) -> None:
    (tmp_path / "pool.md").write_text(POOL)
    import_folder(tmp_path, kind=Document.Kind.RUNBOOK, now=NOW)
    document = Document.objects.get()
    text = curation.Text(
        title="Pool", markdown="By hand.", services=("payments", "orders"), tags=("database",), owner="Team Payments"
    )
    draft = curation.revise(document, text, by=None, now=NOW)
    (tmp_path / "pool.md").write_text(POOL + "More.\n")
    assert "somebody is editing" in import_folder(tmp_path, kind=Document.Kind.RUNBOOK, now=NOW).refused[0]
    curation.approve(draft, by=None, now=NOW)
    (tmp_path / "pool.md").write_text(POOL)
    assert import_folder(tmp_path, kind=Document.Kind.RUNBOOK, now=NOW).unchanged == ["pool"]
    assert Revision.objects.get(state=Revision.State.APPROVED).markdown == "By hand."


def test_a_broken_file_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\xfe not text")
    (tmp_path / "b.md").write_text("---\nreviewed: last week\n---\nText.")
    (tmp_path / "c.md").write_text("")
    (tmp_path / "d.md").write_text("# Good\n\nText.\n")
    (tmp_path / "e.md").write_bytes(b"x" * 1_000_001)
    report = import_folder(tmp_path, kind=Document.Kind.RUNBOOK, now=NOW)
    assert report.created == ["d"]
    assert [refusal.split(":")[0] for refusal in report.refused] == ["a.md", "b.md", "c.md", "e.md"]
    assert "2026-11-30" in report.refused[1]
    assert Document.objects.count() == 1


def test_secrets_are_masked_before_anything_is_stored(tmp_path: Path) -> None:
    (tmp_path / "pool.md").write_text("# Pool\n\nRun with password=hunter2secret and card 4111111111111111.\n")
    for _ in range(2):
        report = import_folder(tmp_path, kind=Document.Kind.RUNBOOK, now=NOW, mask=mask)
    assert report.unchanged == ["pool"]
    stored = Revision.objects.get()
    assert "hunter2secret" not in stored.markdown
    assert "4111111111111111" not in stored.chunks.get().words


@pytest.mark.parametrize("folder", ["missing", "."])
def test_nothing_to_import_is_said(tmp_path: Path, folder: str) -> None:
    with pytest.raises(ImportFailed, match=str(tmp_path)):
        import_folder(tmp_path / folder, kind=Document.Kind.RUNBOOK, now=NOW)


def test_the_demo_knowledge_comes_in_whole() -> None:
    runbooks = import_folder(KNOWLEDGE / "runbooks", kind=Document.Kind.RUNBOOK, now=NOW, mask=mask)
    postmortems = import_folder(KNOWLEDGE / "postmortems", kind=Document.Kind.POSTMORTEM, now=NOW, mask=mask)
    assert (len(runbooks.created), len(postmortems.created)) == (12, 4)
    assert not runbooks.refused + postmortems.refused
    for revision in Revision.objects.select_related("document"):
        assert revision.reviewed_on
        assert revision.document.owner
        assert "[masked]" not in revision.markdown, f"{revision} reads like it holds a secret"
        for target in _links(revision.markdown):
            assert Document.objects.filter(slug=target).exists(), f"{revision} links to {target}"


def _links(markdown: str) -> list[str]:
    import re

    return re.findall(r"\]\(([a-z-]+)\.md\)", markdown)
