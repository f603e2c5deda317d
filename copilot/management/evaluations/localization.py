"""`manage.py evaluate localization`: ranks the services of recorded outages, and compares with the truth."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from incidents.intake.masking import mask
from incidents.localization import evaluation
from incidents.localization.suspects import Modality
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.recording import Recording

HELP = "rank the services of recorded outages"


def add_arguments(parser: ArgumentParser) -> None:
    """Add this subject's options."""
    parser.add_argument("--data", type=Path, required=True, help="folder of cases, of one system or of several")
    parser.add_argument("--out", type=Path, required=True, help="folder to write CASE.json files to")
    parser.add_argument(
        "--truth", type=Path, help="JSON list of cases with their service (default: found beside the data)"
    )
    parser.add_argument(
        "--use",
        default="metrics,traces,logs",
        help="which telemetry to look at, of metrics, traces and logs, with commas (default: all)",
    )


def run(options: dict[str, Any], *, write: Callable[[str], object]) -> None:
    """Rank every case, write one JSON file each, and the table where the truth is known. Raises CommandError for what cannot be read."""
    data, out = options["data"], options["out"]
    use = _modalities(options["use"])
    if not data.is_dir():
        raise CommandError(f"--data {data} is not a folder. Give one that holds cases (a folder each, with case.json).")
    out.mkdir(parents=True, exist_ok=True)
    try:
        truth = options["truth"] or evaluation.find_truth(data)
        known = evaluation.truths(truth) if truth else {}
        baselines: dict[Path, Recording | None] = {}
        predictions = []
        for case in evaluation.cases(data):
            prediction = evaluation.predict(case, mask=mask, baselines=baselines, use=use)
            (out / f"{case.name}.json").write_text(json.dumps(prediction.to_json(), indent=1), encoding="utf-8")
            predictions.append(prediction)
        scores = list(evaluation.scores(predictions, known)) if known else []
    except (evaluation.EvaluationError, TelemetryError) as error:
        raise CommandError(str(error)) from error
    write(f"{len(predictions)} cases ranked, one file each in {out}.")
    if not known:
        write("No truth file beside the data: nothing to score. Name one with --truth.")
        return
    write(f"{'':40} cases  top-1  top-3   MRR  top-1 95 %    mean s  most s")
    for name, score in scores:
        low, high = score.interval
        write(
            f"{name:40} {score.cases:5} {score.top1:6.1%} {score.top3:6.1%} {score.mrr:5.3f}  {low:.2f}–{high:.2f}"
            f"  {score.mean_seconds:8.2f} {score.most_seconds:7.2f}"
        )


def _modalities(text: str) -> frozenset[Modality]:
    allowed = ("metrics", "traces", "logs")
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or any(name not in allowed for name in names):
        raise CommandError(f"--use {text!r}: give one or more of {', '.join(allowed)}, with commas.")
    return frozenset(Modality(name) for name in names)
