"""`manage.py detect FILE.csv`: runs the detector over an exported series as if it came in now, and draws what it would have said."""

import csv
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from incidents.detection import backtest, forecast, picture
from incidents.detection.news import ALARM
from incidents.telemetry import series_file

WORSE = {"both": 0, "up": 1, "down": -1}
MOST_LISTED = 50
# What a forecast looks at: the newest samples, so that an old level is no part of the trend.
WATCHED = 500


class Command(BaseCommand):
    """Needs no running service and no database."""

    help = (
        "Find the anomalies of one series in a CSV file (columns timestamp and value), sample by sample, and draw them."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="CSV with a header: a time and a value in each line")
        parser.add_argument("--out", type=Path, help="write each sample's scores and usual value to this CSV file")
        parser.add_argument("--picture", type=Path, help="SVG to draw (default: NAME.svg in the current folder)")
        parser.add_argument("--worse", choices=sorted(WORSE), default="both", help="which way is bad (default: both)")
        parser.add_argument("--column", default="", help="the values' column, where there are several")
        parser.add_argument("--limit", type=float, help="say when the trend reaches this value")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            read = series_file.read(options["file"], column=options["column"])
        except series_file.SeriesFileError as error:
            raise CommandError(str(error)) from error
        series = series_file.in_order(read)
        if len(series.times) < len(read.times):
            self.stdout.write(
                f"{len(read.times) - len(series.times)} lines repeat the time of another: the last number of each time counts."
            )
        began = time.perf_counter()
        [said] = backtest.run([backtest.Series(series.times, series.values, WORSE[options["worse"]])])
        seconds = time.perf_counter() - began
        path = options["picture"] or Path(f"{options['file'].stem}.svg")
        drawn = picture.draw(
            options["file"].name,
            times=series.times,
            values=series.values,
            expected=said.expected,
            spread=said.spread,
            alarms=said.alarms,
        )
        path.write_text(drawn, encoding="utf-8")
        if options["out"]:
            _write(options["out"], series, said)
        self._tell(series, said, seconds, path)
        if options["limit"] is not None:
            self._forecast(series, options["limit"])

    def _tell(self, series: series_file.SeriesFile, said: backtest.Backtest, seconds: float, path: Path) -> None:
        season = f", own season of {said.period_samples:.0f} samples" if said.period_samples else ""
        self.stdout.write(
            f"{len(series.values):,} samples in {seconds:.1f} s, knowledge at the end: {said.maturity.value}{season}."
            f" {len(said.alarms)} alarms (score ≥ {ALARM}); drawn in {path}."
        )
        for alarm in said.alarms[:MOST_LISTED]:
            value, usual, wide = series.values[alarm], said.expected[alarm], said.spread[alarm]
            away = abs(value - usual) / wide
            self.stdout.write(
                f"  {series.stamps[alarm]}  score {said.news[alarm]:.3f}  value {value:.6g}, usually {usual:.6g} ± {wide:.3g} ({away:.1f} off)"
            )
        if len(said.alarms) > MOST_LISTED:
            self.stdout.write(f"  … and {len(said.alarms) - MOST_LISTED} more.")

    def _forecast(self, series: series_file.SeriesFile, limit: float) -> None:
        found = forecast.forecast(series.times[-WATCHED:], series.values[-WATCHED:], limit=limit)
        if found is None:
            self.stdout.write(f"The newest {min(WATCHED, len(series.values))} samples do not drift to {limit:g}.")
            return
        latest = "or never" if found.latest_seconds is None else f"at the latest {_hours(found.latest_seconds)}"
        self.stdout.write(
            f"Reaches {limit:g} in {_hours(found.likely_seconds)} by its trend; at the earliest {_hours(found.earliest_seconds)}, {latest}."
        )


def _hours(seconds: float) -> str:
    return f"{seconds / 3600.0:.1f} h"


def _write(path: Path, series: series_file.SeriesFile, said: backtest.Backtest) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "value", "anomaly_score", "every_score", "expected", "spread"])
        columns = (series.values, said.news, said.score, said.expected, said.spread)
        for stamp, *numbers in zip(series.stamps, *columns, strict=True):
            rows.writerow([stamp, *("" if np.isnan(number) else f"{number:.6g}" for number in numbers)])
