"""`manage.py templates FILE.log`: the templates of a log, and with a log from before, which are new, vanished or changed their rate."""

import csv
import gzip
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from incidents.localization.log_mining import template_id
from incidents.localization.log_rates import LineChange, line_changes
from incidents.localization.log_templates import TemplatedLines, template_lines
from incidents.telemetry.datamodel import LogRecord

MOST_LINES = 1_000_000
SHOWN = 20
WIDTH = 160


class Command(BaseCommand):
    """Reads files only: no service is needed, and nothing is stored."""

    help = "Group the lines of a log by template; with --before, say what is new, vanished, or came more or less often."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a log, one line a record; .gz is read too")
        parser.add_argument("--before", type=Path, help="a log of the same program from a time to compare with")
        parser.add_argument("--out", type=Path, help="CSV file to write: id, lines, lines before, template, example")

    def handle(self, *args: Any, **options: Any) -> None:
        lines = self._lines(options["file"])
        earlier = self._lines(options["before"]) if options["before"] else []
        began = time.perf_counter()
        found = template_lines([_record(line) for line in (*earlier, *lines)])
        seconds = time.perf_counter() - began
        total = len(earlier) + len(lines)
        self.stdout.write(
            f"{total:,} lines, {len(found.texts):,} templates, {total / max(seconds, 1e-9):,.0f} lines/s."
        )
        now = Counter(found.template[len(earlier) :].tolist())
        before = Counter(found.template[: len(earlier)].tolist())
        if earlier:
            self._changes(found, len(earlier))
        else:
            for number, count in now.most_common(SHOWN):
                self.stdout.write(f"{count:9,}  {template_id(found.texts[number])}  {found.texts[number][:WIDTH]}")
        if options["out"]:
            examples = _examples(found, (*earlier, *lines))
            rows = [
                (template_id(found.texts[number]), now[number], before[number], found.texts[number], examples[number])
                for number in sorted(range(len(found.texts)), key=lambda one: -now[one])
            ]
            self._write(options["out"], rows)

    def _changes(self, found: TemplatedLines, earlier: int) -> None:
        first = np.arange(len(found.template)) < earlier
        amounts = (int(first.sum()), int((~first).sum()))
        changes = line_changes(found, before=first, after=~first, requests=amounts)
        self.stdout.write("Beyond what the number of lines explains:" if changes else "Nothing changed beyond chance.")
        for change in changes[:SHOWN]:
            self.stdout.write(_told(change, amounts))

    def _lines(self, path: Path) -> list[str]:
        try:
            with cast(TextIO, gzip.open(path, "rt", encoding="utf-8", errors="replace") if path.suffix == ".gz" else path.open(encoding="utf-8", errors="replace")) as file:  # fmt: skip
                kept = list(islice(_said(file), MOST_LINES))
                if next(_said(file), None) is not None:
                    self.stderr.write(f"{path} is longer than {MOST_LINES:,} lines; the rest is left out.")
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from error
        if not kept:
            raise CommandError(f"{path} holds no lines.")
        return kept

    def _write(self, path: Path, rows: Sequence[tuple[str, int, int, str, str]]) -> None:
        try:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(("id", "lines", "lines_before", "template", "example"))
                writer.writerows(rows)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror or error}.") from error
        self.stdout.write(f"{len(rows):,} templates written to {path}.")


def _said(file: TextIO) -> Iterator[str]:
    return (line.rstrip("\r\n") for line in file if not line.isspace())


def _record(line: str) -> LogRecord:
    return LogRecord(0, "", 0, line, b"", 0, "{}")


def _examples(found: TemplatedLines, lines: Sequence[str]) -> list[str]:
    _, first = np.unique(found.template, return_index=True)
    return [lines[place] for place in first.tolist()]


def _told(change: LineChange, amounts: tuple[int, int]) -> str:
    before, after = round(change.before * amounts[0]), round(change.after * amounts[1])
    verb = (
        "new"
        if not before
        else "vanished"
        if not after
        else "more"
        if after / amounts[1] > before / amounts[0]
        else "fewer"
    )
    alarming = " (speaks of a failure)" if change.alarming else ""
    return f"{verb:9} {before:8,} → {after:8,}  {change.template[:WIDTH]}{alarming}"
