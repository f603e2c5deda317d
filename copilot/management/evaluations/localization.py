"""`manage.py evaluate localization`: ranks the services of recorded outages, and compares with the truth."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import CommandError
from numpy.typing import NDArray

from incidents.intake.masking import mask
from incidents.localization import calibration, diagnosis_score, evaluation
from incidents.localization.confidence import NAMED
from incidents.localization.significance import Floats
from incidents.localization.suspects import Modality
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.recording import Recording

HELP = "rank the services of recorded outages"


def add_arguments(parser: ArgumentParser) -> None:
    """Add this subject's options."""
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders of cases, of one system or of several"
    )
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
    """Rank every case, write one JSON file each, and the tables where the truth is known. Raises CommandError for what cannot be read."""
    use = _modalities(options["use"])
    try:
        predictions, known = _predictions(options, use=use)
    except (evaluation.EvaluationError, TelemetryError) as error:
        raise CommandError(str(error)) from error
    plain = [one for one in predictions if not one.variation]
    write(f"{len(plain)} cases ranked, one file each in {options['out']}.")
    if not known:
        write("No truth file beside the data: nothing to score. Name one with --truth.")
        return
    _write_scores(predictions, known, write=write)
    _write_diagnoses(plain, known, write=write)
    _write_reliability(predictions, known, write=write)


def _predictions(
    options: dict[str, Any], *, use: frozenset[Modality]
) -> tuple[list[evaluation.Prediction], dict[str, Mapping[str, Any]]]:
    options["out"].mkdir(parents=True, exist_ok=True)
    predictions: list[evaluation.Prediction] = []
    varied: list[evaluation.Prediction] = []
    known: dict[str, Mapping[str, Any]] = {}
    for data in options["data"]:
        if not data.is_dir():
            raise CommandError(
                f"--data {data} is not a folder. Give one that holds cases (a folder each, with case.json)."
            )
        cases = evaluation.cases(data)
        known |= evaluation.known_causes(data, cases, options["truth"])
        baselines: dict[Path, Recording | None] = {}
        for case in cases:
            one = evaluation.predict(case, mask=mask, baselines=baselines, use=use)
            (options["out"] / f"{case.name}.json").write_text(json.dumps(one.to_json(), indent=1), encoding="utf-8")
            predictions.append(one)
            if options["variations"] and case.name in known:
                varied += evaluation.predict_varied(case, mask=mask, baselines=baselines)
    return [*predictions, *varied], known


def _write_scores(
    predictions: Sequence[evaluation.Prediction],
    known: Mapping[str, Mapping[str, Any]],
    *,
    write: Callable[[str], object],
) -> None:
    write(f"{'':40} cases  top-1  95 %        top-3   MRR   sure  right then  mean s  most s")
    for name, score in evaluation.scores(predictions, known):
        low, high = score.interval
        right = f"{score.right_when_sure:11.0%}" if score.sure else f"{'–':>11}"
        write(
            f"{name:40} {score.cases:5} {score.top1:6.1%} {low:.2f}–{high:.2f} {score.top3:7.1%} {score.mrr:5.3f} {score.sure:6.0%}"
            f" {right} {score.mean_seconds:7.2f} {score.most_seconds:7.2f}"
        )


def _write_diagnoses(
    predictions: Sequence[evaluation.Prediction],
    known: Mapping[str, Mapping[str, Any]],
    *,
    write: Callable[[str], object],
) -> None:
    write("")
    write(f"{'What is said of the true cause':40} kind right  place right  kinds said")
    cases = ((one.case.system, one.ranking, known[one.case.name]) for one in predictions if one.case.name in known)
    for name, found in diagnosis_score.diagnoses(cases):
        said = ", ".join(f"{family} {count}" for family, count in sorted(found.said.items(), key=lambda one: -one[1]))
        kind = f"{found.family_right} of {found.families}" if found.families else "–"
        place = f"{found.place_right} of {found.places}" if found.places else "–"
        write(f"{name:40} {kind:>10}  {place:>11}  {said}")


def _write_reliability(
    predictions: Sequence[evaluation.Prediction],
    known: Mapping[str, Mapping[str, Any]],
    *,
    write: Callable[[str], object],
) -> None:
    is_varied = any(one.variation for one in predictions)
    outcomes = calibration.told(
        [
            calibration.Outcome(one.case.system, one.ranking, one.services[:1] == (known[one.case.name]["service"],))
            for one in predictions
            # Among the variations there is each case "as it is" already.
            if one.case.name in known and (one.variation or not is_varied)
        ]
    )
    if not outcomes:
        return
    right = np.array([one.right for one in outcomes])
    stated = np.array([one.ranking.suspects[0].confidence for one in outcomes])
    _write_bins("Confidence in the first suspect, as stated", stated, right, write=write)
    # Only the variations hold enough rankings that went wrong to fit anything on.
    if is_varied and len({one.system for one in outcomes}) > 1:
        title = "The same, fitted on the other systems for each system"
        _write_bins(title, calibration.left_out(outcomes), right, write=write)


def _write_bins(title: str, stated: Floats, right: NDArray[np.bool_], *, write: Callable[[str], object]) -> None:
    bins = calibration.reliability(stated, right)
    named = stated >= NAMED
    told = f", right in {right[named].mean():.0%} of these" if named.any() else ""
    write("")
    write(f"{title}: {len(stated)} rankings, expected calibration error {calibration.calibration_error(bins):.3f}")
    write(f"  named (confidence from {NAMED}): {named.mean():.0%}{told}")
    for one in bins:
        write(f"  {one.low:.1f}–{one.high:.1f}  {one.cases:5}  stated {one.stated:.2f}  came true {one.came_true:.2f}")


def _modalities(text: str) -> frozenset[Modality]:
    allowed = ("metrics", "traces", "logs")
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or any(name not in allowed for name in names):
        raise CommandError(f"--use {text!r}: give one or more of {', '.join(allowed)}, with commas.")
    return frozenset(Modality(name) for name in names)
