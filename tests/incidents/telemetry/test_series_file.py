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
        "_time;_value\n2026-03-02 00:00:00;1,0\n;\n1772409900000;inf\n",
        '"@timestamp"\tcpu\n1772409600000\t1\n1772409900000\t-\n',
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
        ("a,b,c\n1,2,3\n", "line 1: columns a, b, c. Expected a header with a time"),
        ("time,cpu,memory\n1,2,3\n", "Which one holds the values.*--column"),
        ("time;value\n2026-03-02;1\nsoon;1\n", "line 3: 'soon' is no time"),
        ("timestamp,value\n", "no sample"),
        ("timestamp,value\nyesterday,1\n", "line 2: 'yesterday' is no time"),
        ("timestamp,value\n2026-03-02\n", "line 2: expected 2 columns"),
    ],
)
def test_what_is_no_series_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(series_file.SeriesFileError, match=told):
        series_file.read(written(tmp_path, text))


def test_a_column_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, "time,CPU,memory\n1772409600,1,2\n")
    assert series_file.read(path, column="cpu").values.tolist() == [1.0]
    assert series_file.read(path, column="Memory").values.tolist() == [2.0]
    with pytest.raises(series_file.SeriesFileError, match="Which one holds the values"):
        series_file.read(path, column="disk")


def test_samples_are_put_in_order_and_of_one_time_the_last_number_counts(tmp_path: Path) -> None:
    path = written(tmp_path, "time,value\n300,3\n100,1\n200,2\n200,5\n200,\n")
    series = series_file.in_order(series_file.read(path))
    assert series.times.tolist() == [100.0, 200.0, 300.0]
    assert series.values.tolist() == [1.0, 5.0, 3.0]
    assert series.stamps == ("100", "200", "300")
