"""`manage.py evaluate verdicts`: tries to refute true and deliberately wrong suspects of recorded outages, and counts how often that works."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from copilot.evidence.assessment import Assessment, Result
from copilot.evidence.gather import measured
from copilot.evidence.judgement import assess
from copilot.evidence.refutation import Case
from incidents import monitoring
from incidents.detection.anomaly import Episode
from incidents.intake.masking import mask
from incidents.localization import evaluation
from incidents.localization.suspects import Ranking, Suspect
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.recording import Recording

HELP = "try to refute true and wrong suspects of recorded outages: power and false refutations of each attempt"
# An anomaly that began earlier is not of the incident.
BEGAN_BEFORE = timedelta(minutes=2)
WRONG_TRIED = 5  # suspects of a case besides the first
# Who is put to the test, in the order of the table.
LEADS, TRUE, WRONG_LEADS, NEXT, OTHERS = (
    "true and leading",
    "true, led or not",
    "leading and wrong",
    "second and third, wrong",
    "second to sixth, wrong",
)
GROUPS = (LEADS, TRUE, WRONG_LEADS, NEXT, OTHERS)


@dataclass(frozen=True)
class Trial:
    """One suspect of one outage, treated as the leader: its place in the ranking from 0, whether it was the cause, and what came of it."""

    system: str
    place: int
    is_true: bool
    found: Assessment

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the rows of the table that it counts in."""
        if self.is_true:
            return (LEADS, TRUE) if self.place == 0 else (TRUE,)
        if self.place == 0:
            return (WRONG_LEADS,)
        return (NEXT, OTHERS) if self.place <= 2 else (OTHERS,)


def add_arguments(parser: ArgumentParser) -> None:
    """Add this subject's options."""
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of cases whose cause is known")
    parser.add_argument("--truth", type=Path, help="JSON list of cases with their service (default: beside the data)")


def run(options: dict[str, Any], *, write: Callable[[str], object]) -> None:
    """Put the suspects of every case to the test, and write the tables. Raises CommandError for what cannot be read."""
    try:
        trials = [trial for data in options["data"] for trial in _trials(data, options["truth"])]
    except (evaluation.EvaluationError, TelemetryError) as error:
        raise CommandError(str(error)) from error
    if not trials:
        raise CommandError("No case with a known cause: name a truth file with --truth.")
    systems = sorted({trial.system for trial in trials})
    for system in (*systems, ""):
        if system or len(systems) > 1:
            _write([one for one in trials if system in ("", one.system)], system or "all", write=write)


def _trials(data: Path, truth: Path | None) -> Iterator[Trial]:
    if not data.is_dir():
        raise CommandError(f"--data {data} is not a folder. Give one that holds cases.")
    cases = evaluation.cases(data)
    known = evaluation.known_causes(data, cases, truth)
    baselines: dict[Path, Recording | None] = {}
    for case in cases:
        if case.name in known:
            outage = evaluation.outage(case, mask=mask, baselines=baselines)
            yield from _trials_of(case.system, outage, truth=known[case.name])


def _trials_of(system: str, outage: evaluation.Outage, *, truth: Mapping[str, Any]) -> Iterator[Trial]:
    suspects = [one for one in outage.ranking.suspects if not one.service.startswith("_")]
    episodes = _episodes(outage)
    for place, suspect in enumerate(suspects):
        is_true = suspect.service == truth["service"]
        if is_true or place <= WRONG_TRIED:
            case = _led_by(suspect, outage, episodes)
            yield Trial(system, place, is_true, assess(case))


def _episodes(outage: evaluation.Outage) -> list[Episode]:
    """Return the anomalies that the incident would have been made of."""
    groups = monitoring.detect(outage.recording, window=outage.recording.window)
    since = outage.incident.start - BEGAN_BEFORE
    return [episode for group in groups for episode in group.episodes if episode.started_at >= since]


def _led_by(suspect: Suspect, outage: evaluation.Outage, episodes: Sequence[Episode]) -> Case:
    """Return the case as if the suspect led; it gets the first one's chance, so that the verdict is about the attempts."""
    ranking: Ranking = outage.ranking
    others = tuple(one for one in ranking.suspects if one.service != suspect.service)
    led = replace(ranking, suspects=(replace(suspect, confidence=ranking.suspects[0].confidence), *others))
    items = measured(led, window=outage.incident, backend=outage.recording, episodes=episodes)
    return Case(led, items, episodes, start=outage.incident.start, end=outage.incident.end)


def _write(trials: Sequence[Trial], system: str, *, write: Callable[[str], object]) -> None:
    write("")
    write(f"{system:24} tried  refuted  95 %        by which attempt (a suspect may be refuted by several)")
    for group in GROUPS:
        among = [trial.found for trial in trials if group in trial.groups]
        if not among:
            continue
        refuted = [found for found in among if found.ended(Result.REFUTED)]
        low, high = evaluation.wilson(len(refuted), len(among))
        by = Counter(one.check for found in among for one in found.ended(Result.REFUTED))
        said = ", ".join(f"{check} {count}" for check, count in by.most_common()) or "–"
        write(f"{group:24} {len(among):5} {len(refuted) / len(among):8.0%}  {low:.2f}–{high:.2f}  {said}")
    verdicts = Counter((LEADS in t.groups, t.found.certainty.value) for t in trials if t.place == 0)
    for is_right, word in ((True, "right"), (False, "wrong")):
        told = ", ".join(f"{count} {name}" for (right, name), count in sorted(verdicts.items()) if right == is_right)
        write(f"leaders that are {word}: {told or 'none'}")
