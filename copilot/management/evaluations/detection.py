"""`manage.py evaluate detection`: runs the detector over labelled series, and says how early and how often it was right."""

import csv
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from incidents.detection import clearing_score, evaluation
from incidents.detection.backtest import Backtest
from incidents.detection.news import ALARM, news_of
from incidents.telemetry.datamodel import MetricSeries, SeriesKey
from incidents.telemetry.series_file import SeriesFile, SeriesFileError

HELP = "find the anomalies of labelled metric series"
ASKED = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=4))


def add_arguments(parser: ArgumentParser) -> None:
    """Add this subject's options."""
    parser.add_argument("--data", type=Path, required=True, help="folder that holds data/GROUP/NAME.csv (and labels/)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write GROUP/NAME.csv with scores to")
    parser.add_argument(
        "--threshold", type=float, default=ALARM, help=f"score from which on a sample is an alarm (default: {ALARM})"
    )


def run(options: dict[str, Any], *, write: Callable[[str], object]) -> None:
    """Run over every series, write its scores, and the table where labels are known. Raises CommandError for what cannot be read."""
    data, out = options["data"], options["out"]
    try:
        series = evaluation.find_series(data)
        windows = evaluation.find_windows(data)
        began = time.perf_counter()
        said = evaluation.run(series)
        seconds = time.perf_counter() - began
        for name, one in said.items():
            _write_scores(out / name, series[name], one)
        samples = sum(len(one.values) for one in series.values())
        write(f"{len(series)} series, {samples:,} samples in {seconds:.1f} s; scores in {out}.")
        _write_clearing(series, write)
        if windows is None:
            write("No labels/combined_windows.json beside the data: nothing to compare with.")
            return
        threshold = options["threshold"]
        outcomes = [
            evaluation.judge(
                name, series[name], news_of(one.score, alarm=threshold), windows.get(name, []), threshold=threshold
            )
            for name, one in said.items()
        ]
    except (evaluation.EvaluationError, SeriesFileError) as error:
        raise CommandError(str(error)) from error
    _write_table(outcomes, write)


def _write_clearing(series: Mapping[str, SeriesFile], write: Callable[[str], object]) -> None:
    """Say how good the chance was that each departure clears by itself, as it was said when the departure was detected."""
    measured = [MetricSeries(SeriesKey("", name), one.times, one.values) for name, one in series.items()]
    for within, one in clearing_score.table(measured, asked=ASKED):
        write(
            f"Clears by itself within {within / timedelta(minutes=1):.0f} min: {one.departures} departures, {one.cleared:.0%} did;"
            f" Brier score {one.brier:.3f} (always the mean: {one.brier_of_rate:.3f});"
            f" said so: right in {one.precision:.0%}, {one.recall:.0%} of those that did."
        )


def _write_scores(path: Path, series: SeriesFile, said: Backtest) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "value", "anomaly_score", "every_score"])
        for stamp, value, news, score in zip(series.stamps, series.values, said.news, said.score, strict=True):
            rows.writerow([stamp, value, f"{news:.6f}", f"{score:.6f}"])


def _write_table(outcomes: list[evaluation.Outcome], write: Callable[[str], object]) -> None:
    write(f"{'':24} series  windows  hit  false alarms  score  95 %")
    groups: dict[str, list[evaluation.Outcome]] = {"all": outcomes}
    for one in outcomes:
        groups.setdefault(one.name.split("/")[0], []).append(one)
    for name, members in groups.items():
        row = evaluation.score(name, members)
        value = "-" if row.value is None else f"{row.value:.1f}"
        between = "" if row.interval is None else f"{row.interval[0]:.0f}–{row.interval[1]:.0f}"
        write(
            f"{name:24} {row.series:6} {row.windows:8} {row.hit:4} {row.false_alarms:13} {value:>6}  {between}".rstrip()
        )
