"""CSV exports: each row an entry whose columns are its fields, so that numbers in them are followed like those of JSON logs."""

import csv
from collections.abc import Sequence

from copilot.evidence.attached.entries import INFO, Entry, told_time
from copilot.evidence.attached.files import AttachedFile

LEAST_ROWS = 2
_TIME_COLUMNS = ("timestamp", "time", "date", "datetime", "ts", "@timestamp")


def rows_of(file: AttachedFile) -> list[Entry]:
    """Return the rows of a CSV file as entries; [] when it is none. A column is numeric where its text is a number."""
    if not file.name.lower().endswith((".csv", ".tsv")) or len(file.lines) < LEAST_ROWS:
        return []
    rows = csv.reader(file.lines, delimiter="\t" if file.name.lower().endswith(".tsv") else ",")
    header = next(rows)
    return [
        _entry(file.name, number, header, row) for number, row in enumerate(rows, start=2) if len(row) == len(header)
    ]


def _entry(name: str, number: int, header: Sequence[str], row: Sequence[str]) -> Entry:
    cells = dict(zip(header, row, strict=True))
    at = next((told_time(_value(cells[column])) for column in header if column.strip().lower() in _TIME_COLUMNS), None)
    text = ", ".join(f"{key}: {value}" for key, value in cells.items())
    return Entry(name, number, number, at, INFO, text, {key: _value(value) for key, value in cells.items()})


def _value(cell: str) -> str | float:
    try:
        return float(cell)
    except ValueError:
        return cell
