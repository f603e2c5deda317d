"""`manage.py evaluate localization`: ranks the services of recorded outages, and compares with the truth."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from copilot.evidence.hypotheses import stands_out
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
    parser.add_argument(
        "--variations",
        action="store_true",
        help="also with less or worse telemetry: each signal left out or alone, and so on",
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
        cases = evaluation.cases(data)
        predictions = [evaluation.predict(case, mask=mask, baselines=baselines, use=use) for case in cases]
        for one in predictions:
            (out / f"{one.case.name}.json").write_text(json.dumps(one.to_json(), indent=1), encoding="utf-8")
        if options["variations"] and known:
            for case in cases:
                predictions += evaluation.predict_varied(case, mask=mask, baselines=baselines)
        scores = list(evaluation.scores(predictions, known, stands_out=stands_out)) if known else []
    except (evaluation.EvaluationError, TelemetryError) as error:
        raise CommandError(str(error)) from error
    write(f"{len(cases)} cases ranked, one file each in {out}.")
    if not known:
        write("No truth file beside the data: nothing to score. Name one with --truth.")
        return
    write(f"{'':34} cases  top-1  95 %        top-3   MRR   sure  right then  mean s  most s")
    for name, score in scores:
        low, high = score.interval
        right = f"{score.right_when_sure:11.0%}" if score.sure else f"{'–':>11}"
        write(
            f"{name:34} {score.cases:5} {score.top1:6.1%} {low:.2f}–{high:.2f} {score.top3:7.1%} {score.mrr:5.3f} {score.sure:6.0%}"
            f" {right} {score.mean_seconds:7.2f} {score.most_seconds:7.2f}"
        )


def _modalities(text: str) -> frozenset[Modality]:
    allowed = ("metrics", "traces", "logs")
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or any(name not in allowed for name in names):
        raise CommandError(f"--use {text!r}: give one or more of {', '.join(allowed)}, with commas.")
    return frozenset(Modality(name) for name in names)
