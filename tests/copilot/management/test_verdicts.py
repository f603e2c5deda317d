"""`manage.py evaluate verdicts` on two of the demo's recordings: true causes stand, and the table says who was tried."""

import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

NAMES = ("bad-deploy", "cpu-hog")
RECORDINGS = Path(settings.BASE_DIR) / "demo" / "recordings"


def test_true_causes_and_wrong_ones_are_counted_apart(tmp_path: Path) -> None:
    for name in NAMES:
        shutil.copytree(RECORDINGS / name, tmp_path / "demo" / "recordings" / name)
    said = StringIO()
    call_command("evaluate", "verdicts", "--data", str(tmp_path), stdout=said)
    lines = {line[:24].strip(): line.split() for line in said.getvalue().splitlines()}
    assert lines["true and leading"][3:5] == ["2", "0%"]
    assert int(lines["second and third, wrong"][4]) == 4
    assert "leaders that are right: 2 likely" in said.getvalue()


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("evaluate", "verdicts", "--data", str(tmp_path / "nowhere"))
