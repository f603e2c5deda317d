"""`manage.py evaluate templates`: groups the lines of logs by template, and compares with the groups that people made."""

import csv
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from incidents.localization.grouping_score import GroupingScore, score
from incidents.localization.log_masking import folded
from incidents.localization.log_mining import mine

HELP = "group log lines by template"
_LABELLED = "_structured.csv"


@dataclass(frozen=True)
class Result:
    """One log: how well it was grouped, None where the truth is not known, and how many lines a second."""

    system: str
    lines: int
    score: GroupingScore | None
    lines_per_second: float


def add_arguments(parser: ArgumentParser) -> None:
    """Add this subject's options."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder with SYSTEM/NAME.log and, labelled, NAME.log_structured.csv (columns LineId, Content, EventId)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write SYSTEM.csv files to")
    parser.add_argument("--raw", action="store_true", help="whole lines, headers included, instead of their messages")


def run(options: dict[str, Any], *, write: Callable[[str], object]) -> None:
    """Group every log, write one CSV file each (line_id, cluster, template), and the table. Raises CommandError for what cannot be read."""
    data, out = options["data"], options["out"]
    labelled = sorted(data.glob(f"*/*.log{_LABELLED}")) if data.is_dir() else []
    if not labelled:
        raise CommandError(
            f"--data {data} holds no SYSTEM/NAME.log{_LABELLED}. Give the folder above the systems' folders."
        )
    out.mkdir(parents=True, exist_ok=True)
    results = [_group(path, out, raw=options["raw"]) for path in labelled]
    write(f"{len(results)} logs grouped, one file each in {out}.")
    write(f"{'':12} lines   GA   95 %          F1  groups true  found  lines/s")
    for one in results:
        write(_row(one))
    scores = [one.score for one in results if one.score is not None]
    if scores:
        accuracy, f1 = (sum(values) / len(scores) for values in ([s.accuracy for s in scores], [s.f1 for s in scores]))
        speed = len(results) / sum(1 / one.lines_per_second for one in results)
        write(f"{'average':12} {'':5} {accuracy:5.3f} {'':12} {f1:5.3f} {'':19} {speed:8,.0f}")


def _row(one: Result) -> str:
    if one.score is None:
        return f"{one.system:12} {one.lines:5} {'no truth':32} {one.lines_per_second:14,.0f}"
    low, high = one.score.interval
    return (
        f"{one.system:12} {one.lines:5} {one.score.accuracy:5.3f} {low:.3f}–{high:.3f} {one.score.f1:6.3f}"
        f" {one.score.true_groups:12} {one.score.found_groups:6} {one.lines_per_second:8,.0f}"
    )


def _group(labelled: Path, out: Path, *, raw: bool) -> Result:
    system = labelled.parent.name
    try:
        with labelled.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = list(csv.DictReader(file))
        ids, lines = [row["LineId"] for row in rows], [row["Content"] for row in rows]
        if raw:
            lines = _raw_lines(labelled)
    except (OSError, KeyError, csv.Error) as error:
        raise CommandError(f"{labelled}: {error!r}. It needs the columns LineId and Content.") from error
    if len(lines) != len(ids):
        raise CommandError(f"{labelled} describes {len(ids)} lines, the log beside it has {len(lines)}.")
    began = time.perf_counter()
    mined = mine(lines)
    seconds = time.perf_counter() - began
    found = mined.template.tolist()
    with (out / f"{system}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("line_id", "cluster", "template"))
        writer.writerows((line, number, folded(mined.texts[number])) for line, number in zip(ids, found, strict=True))
    truth = [row["EventId"] for row in rows if row.get("EventId")]
    known = score(truth, found) if len(truth) == len(found) else None
    return Result(system, len(lines), known, len(lines) / seconds)


def _raw_lines(labelled: Path) -> list[str]:
    text = labelled.with_name(labelled.name.removesuffix(_LABELLED)).read_text(encoding="utf-8", errors="replace")
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()]
