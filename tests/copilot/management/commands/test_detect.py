import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

START = datetime(2026, 3, 2, tzinfo=UTC)


def exported(folder: Path) -> Path:
    values = 0.3 + 0.0005 * np.arange(700) + 0.01 * np.random.default_rng(1).standard_normal(700)
    values[400:410] += 0.5
    lines = [f"{(START + timedelta(minutes=i)).isoformat()},{value}" for i, value in enumerate(values)]
    lines[50] = lines[50].split(",")[0] + ","
    path = folder / "disk <used>.csv"
    path.write_text("\n".join(["timestamp,value", *lines]), encoding="utf-8")
    return path


def test_a_series_is_judged_written_down_and_drawn(tmp_path: Path) -> None:
    told = StringIO()
    scores, drawing = tmp_path / "scores.csv", tmp_path / "drawing.svg"
    call_command("detect", exported(tmp_path), out=scores, picture=drawing, limit=1.0, worse="up", stdout=told)
    text = told.getvalue()
    assert "700 samples" in text
    assert "2026-03-02T06:40:00+00:00  score" in text
    assert "Reaches 1 in" in text
    rows = list(csv.DictReader(scores.open(encoding="utf-8")))
    assert len(rows) == 700
    assert rows[50]["every_score"] == ""
    assert float(rows[400]["anomaly_score"]) > 0.65
    assert "<title>disk &lt;used&gt;.csv: " in drawing.read_text(encoding="utf-8")


def test_a_file_that_is_no_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("detect", tmp_path / "absent.csv")
