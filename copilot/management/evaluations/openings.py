"""`manage.py evaluate openings`: says whether detection alone would have opened an incident soon after recorded faults, and none before."""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from incidents import openings
from incidents.intake.masking import mask
from incidents.localization import evaluation
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.recording import Recording

HELP = "open incidents from recorded outages, by detection alone"


def add_arguments(parser: ArgumentParser) -> None:
    """Add this subject's options."""
    parser.add_argument("--data", type=Path, required=True, help="folder of cases, of one system or of several")
    parser.add_argument(
        "--truth", type=Path, help="JSON list of cases with their injected_at (default: found beside the data)"
    )


def run(options: dict[str, Any], *, write: Callable[[str], object]) -> None:
    """Watch every case whose truth says when its fault was injected, and its reference. Raises CommandError for what cannot be read."""
    data = options["data"]
    if not data.is_dir():
        raise CommandError(f"--data {data} is not a folder. Give one that holds cases (a folder each, with case.json).")
    truth = options["truth"] or evaluation.find_truth(data)
    if truth is None:
        raise CommandError(f"No truth file in or above {data}. Name one with --truth.")
    try:
        found = _openings(data, evaluation.truths(truth))
    except (evaluation.EvaluationError, TelemetryError, ValueError) as error:
        raise CommandError(str(error)) from error
    minutes = int(openings.IN_TIME.total_seconds() / 60)
    write(f"{'':24} cases  opened within {minutes} min  median s  false openings")
    for row in openings.summed(found):
        write(
            f"{row.system:24} {row.cases:5} {row.opened:19} {row.median_seconds:9.0f}  {row.false} in {row.quiet_minutes:.0f} min without a fault"
        )


def _openings(data: Path, known: Mapping[str, Mapping[str, Any]]) -> list[openings.Opening]:
    found: list[openings.Opening] = []
    references: dict[Path, Recording] = {}
    for case in evaluation.cases(data):
        injected_at = known.get(case.name, {}).get("injected_at")
        if not injected_at:
            continue
        reference = case.reference
        if reference is not None and reference not in references:
            try:
                references[reference] = Recording.load(reference, mask=mask)
            except TelemetryError:
                reference = None  # one may describe the system's topology alone
            else:
                found.append(openings.calm(reference, system=case.system, recording=references[reference]))
        history = references[reference] if reference is not None else None
        at = datetime.fromisoformat(injected_at)
        found.append(openings.opening(case, injected_at=at, mask=mask, history=history))
    return found
