"""One exported series in a CSV file, a line a sample: a column of times and one of numbers."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TIME_NAMES = ("timestamp", "@timestamp", "time", "_time", "date", "datetime", "at", "ts", "epoch", "unix")
VALUE_NAMES = ("value", "_value", "values", "val", "y", "count")
DELIMITERS = ",;\t|"
MOST_ROWS = 5_000_000
MILLISECONDS_FROM = 1e11  # epoch seconds beyond the year 5138 are parts of a second


class SeriesFileError(Exception):
    """A file that holds no series. Says which line or column, and what is expected."""


@dataclass(frozen=True)
class SeriesFile:
    """A series as exported. `times` are epoch seconds, `values` NaN where the file has no number; `stamps` are the times as written."""

    stamps: tuple[str, ...]
    times: NDArray[np.float64]
    values: NDArray[np.float64]


def read(path: Path, *, column: str = "") -> SeriesFile:
    """Read a CSV file with a header, parted by commas, semicolons, tabs or bars. Times are ISO 8601 (UTC where no zone is said) or epoch
    seconds, milli-, micro- or nanoseconds; what is no finite number is a gap. Samples stay in the order of the file, see `in_order`.

    `column` names the values' column where there are several. Raises SeriesFileError for a file without such columns, with an
    unreadable time, or without a sample.
    """
    stamps: list[str] = []
    times: list[float] = []
    values: list[float] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            first = lines.readline()
            delimiter = max(DELIMITERS, key=first.count)
            at, what = _columns(next(csv.reader([first], delimiter=delimiter), []), path, column)
            rows = csv.reader(lines, delimiter=delimiter)
            for row in rows:
                if not any(row):
                    continue
                line = rows.line_num + 1  # the header is read apart
                if len(row) <= max(at, what) or len(stamps) >= MOST_ROWS:
                    raise SeriesFileError(
                        f"{path}, line {line}: expected {max(at, what) + 1} columns or more, and at most {MOST_ROWS:,} rows."
                    )
                stamps.append(row[at])
                times.append(_time(row[at], path, line))
                # Where commas do not part columns, they may part decimals.
                values.append(_number(row[what] if delimiter == "," else row[what].replace(",", ".")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SeriesFileError(f"{path} cannot be read as CSV: {error}") from error
    if not stamps:
        raise SeriesFileError(f"{path} holds a header and no sample.")
    return SeriesFile(tuple(stamps), np.array(times), np.array(values))


def in_order(series: SeriesFile) -> SeriesFile:
    """Return the samples by their time, of several at one time the last in the file that is a number."""
    known = np.isfinite(series.values)
    rows = np.lexsort((np.arange(len(known)), known, series.times))
    last = np.append(np.diff(series.times[rows]) != 0, True)
    kept = rows[last]
    return SeriesFile(tuple(series.stamps[row] for row in kept.tolist()), series.times[kept], series.values[kept])


def _columns(header: list[str], path: Path, column: str) -> tuple[int, int]:
    names = [name.strip().lower() for name in header]
    wanted = (column.strip().lower(),) if column else VALUE_NAMES
    at = next((names.index(name) for name in TIME_NAMES if name in names), None)
    what = next((names.index(name) for name in wanted if name in names), None)
    if at is not None and what is None and len(names) == 2 and not column:
        what = 1 - at
    shown = ", ".join(name[:60] for name in names[:10]) or "(none)"
    if at is None:
        raise SeriesFileError(
            f"{path}, line 1: columns {shown}. Expected a header with a time: name a column one of {', '.join(TIME_NAMES)}."
        )
    if what is None or what == at:
        raise SeriesFileError(
            f"{path}, line 1: columns {shown}. Which one holds the values? Name it with --column, or {VALUE_NAMES[0]} in the header."
        )
    return at, what


def moment(text: str) -> float:
    """Return a time in epoch seconds. Raises SeriesFileError for text that is none."""
    return _time(text, Path("(labels)"), 0)


def _time(text: str, path: Path, line: int) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        seconds = _number(text)
        if not np.isfinite(seconds):
            raise SeriesFileError(
                f"{path}, line {line}: {text[:40]!r} is no time. Write ISO 8601 or epoch seconds."
            ) from None
        # Milli-, micro- or nanoseconds.
        while abs(seconds) >= MILLISECONDS_FROM:
            seconds /= 1000.0
        return seconds
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return float("nan")
    return number if np.isfinite(number) else float("nan")
