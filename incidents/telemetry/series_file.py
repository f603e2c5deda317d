"""One exported series in a CSV file, a line a sample: a column of times and one of numbers."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TIME_NAMES = ("timestamp", "time", "date", "datetime", "at", "ts")
VALUE_NAMES = ("value", "values", "val", "y", "count")
MOST_ROWS = 5_000_000
MILLISECONDS_FROM = 1e11  # epoch seconds beyond the year 5138 are milliseconds


class SeriesFileError(Exception):
    """A file that holds no series. Says which line or column, and what is expected."""


@dataclass(frozen=True)
class SeriesFile:
    """A series as exported. `times` are epoch seconds, `values` NaN where the file has no number; `stamps` are the times as written."""

    stamps: tuple[str, ...]
    times: NDArray[np.float64]
    values: NDArray[np.float64]


def read(path: Path) -> SeriesFile:
    """Read a CSV file with a header. Times are ISO 8601 (UTC where no zone is said) or epoch seconds or milliseconds.

    Raises SeriesFileError for a file without such columns, with an unreadable time, or without a sample.
    """
    stamps: list[str] = []
    times: list[float] = []
    values: list[float] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines)
            at, what = _columns(next(rows, []), path)
            for row in rows:
                if not row:
                    continue
                if len(row) <= max(at, what) or len(stamps) >= MOST_ROWS:
                    raise SeriesFileError(
                        f"{path}, line {rows.line_num}: expected {max(at, what) + 1} columns or more, and at most {MOST_ROWS:,} rows."
                    )
                stamps.append(row[at])
                times.append(_time(row[at], path, rows.line_num))
                values.append(_number(row[what]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SeriesFileError(f"{path} cannot be read as CSV: {error}") from error
    if not stamps:
        raise SeriesFileError(f"{path} holds a header and no sample.")
    return SeriesFile(tuple(stamps), np.array(times), np.array(values))


def _columns(header: list[str], path: Path) -> tuple[int, int]:
    names = [name.strip().lower() for name in header]
    at = next((names.index(name) for name in TIME_NAMES if name in names), None)
    what = next((names.index(name) for name in VALUE_NAMES if name in names), None)
    if at is not None and what is None and len(names) == 2:
        what = 1 - at
    if at is None or what is None:
        raise SeriesFileError(
            f"{path}: columns {', '.join(names[:10]) or '(none)'}. Expected a header with a time"
            f" ({', '.join(TIME_NAMES)}) and a value ({', '.join(VALUE_NAMES)})."
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
        return seconds / 1000.0 if abs(seconds) >= MILLISECONDS_FROM else seconds
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
