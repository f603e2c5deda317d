"""manage.py import_runbooks."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from runbooks.models import Document, Revision

KNOWLEDGE = Path(__file__).parents[4] / "demo" / "knowledge"


@pytest.mark.django_db
def test_imports_runbooks_and_postmortems_of_a_folder() -> None:
    output = StringIO()
    call_command("import_runbooks", str(KNOWLEDGE), stdout=output)
    assert "12 new, 0 revised, 0 unchanged, 0 refused" in output.getvalue()
    assert Document.objects.filter(kind=Document.Kind.POSTMORTEM).count() == 4


@pytest.mark.django_db
def test_leaves_drafts_when_asked_and_masks(tmp_path: Path) -> None:
    (tmp_path / "pool.md").write_text("# Pool\n\npassword=hunter2secret\n")
    call_command("import_runbooks", str(tmp_path), "--draft", stdout=StringIO())
    revision = Revision.objects.get()
    assert revision.state == Revision.State.DRAFT
    assert "hunter2secret" not in revision.markdown


@pytest.mark.django_db
def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no folder"):
        call_command("import_runbooks", str(tmp_path / "missing"))
