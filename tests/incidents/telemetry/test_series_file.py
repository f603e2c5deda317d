from pathlib import Path

import numpy as np
import pytest

from incidents.telemetry import series_file


def written(folder: Path, text: str) -> Path:
    path = folder / "series.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "timestamp,value\n2026-03-02 00:00:00,1\n2026-03-02 00:05:00,\n",
        "Time,Value,other\n2026-03-02T00:00:00Z,1,x\n2026-03-02T01:05:00+01:00,NaN,y\n",
        "ts,p95_seconds\n1772409600,1\n1772409900000,oops\n",
    ],
)
def test_times_of_any_kind_and_missing_numbers_are_read(tmp_path: Path, text: str) -> None:
    series = series_file.read(written(tmp_path, text))
    assert list(series.times) == [1772409600.0, 1772409900.0]
    np.testing.assert_array_equal(series.values, [1.0, np.nan])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Expected a header"),
        ("a,b,c\n1,2,3\n", "columns a, b, c"),
        ("timestamp,value\n", "no sample"),
        ("timestamp,value\nyesterday,1\n", "line 2: 'yesterday' is no time"),
        ("timestamp,value\n2026-03-02\n", "line 2: expected 2 columns"),
    ],
)
def test_what_is_no_series_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(series_file.SeriesFileError, match=told):
        series_file.read(written(tmp_path, text))
