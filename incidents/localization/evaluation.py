"""Scores the ranking on recorded outages of which the cause is known: one case a folder, with `case.json` beside the recording."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from incidents.localization.confidence import stands_out
from incidents.localization.ranking import ALL_MODALITIES, Material, fetch, rank_material
from incidents.localization.suspects import Modality, Ranking
from incidents.localization.variations import VARIATIONS
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import Window
from incidents.telemetry.recording import Recording

# An alert rule usually waits a minute before it fires, and looks at the minutes before it began to wait.
BEFORE_ALERT = timedelta(minutes=1)
# What happened between these two may belong to either side; it is left out.
HEALTHY_UNTIL = timedelta(minutes=2)
# A recording that only says when its fault was injected: how long an alert takes to fire.
ALERT_AFTER = timedelta(seconds=90)
OWN_TRUTH = "truth.json"
TRUTH_FILES = (OWN_TRUTH, "truth.dev.json")


class EvaluationError(Exception):
    """The data cannot be evaluated. The message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Case:
    """One recorded outage. `reference` is a fault-free recording of the same system, None when there is none."""

    name: str
    system: str
    folder: Path
    alert_at: datetime
    reference: Path | None


@dataclass(frozen=True)
class Prediction:
    """What the ranking said of a case, and the seconds it took once the recording was loaded.

    `variation` names what was done to the recording before (see `variations`), "" for nothing; then seconds are those of ranking alone.
    """

    case: Case
    services: tuple[str, ...]
    seconds: float
    ranking: Ranking
    variation: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as the scorers read it."""
        return {"case": self.case.name, "ranked_services": list(self.services), "elapsed_s": round(self.seconds, 4)}


def cases(data: Path) -> list[Case]:
    """Return the cases below a folder, by name: those with a `case.json`, and recordings that only say when their fault was injected.

    Raises EvaluationError when there is none or one is malformed.
    """
    found = [_case(path, data) for path in sorted(data.rglob("case.json"))]
    found += [_recorded(path) for path in sorted(data.rglob(OWN_TRUTH)) if _own_truth(path)]
    if not found:
        raise EvaluationError(f"{data} holds no case: a case is a folder with case.json and a recording beside it.")
    return found


def _case(path: Path, data: Path) -> Case:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        name, alert_at = str(told["case"]), datetime.fromisoformat(told["alert_at"])
        system, reference = str(told.get("dataset") or path.parent.parent.name), told.get("reference")
    except (ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f"{path}: {error!r}. It needs case, alert_at (ISO 8601) and may have dataset and reference."
        ) from error
    if alert_at.tzinfo is None:
        raise EvaluationError(f"{path}: alert_at {alert_at} has no time zone; write …Z.")
    # A reference is named from the folder of all systems; DIR may be that one, or one system's below it.
    places = [root / reference for root in (data, data.parent, path.parent.parent.parent)] if reference else []
    return Case(name, system, path.parent, alert_at, next((place for place in places if place.is_dir()), None))


def _recorded(path: Path) -> Case:
    try:
        injected_at = datetime.fromisoformat(_own_truth(path)["injected_at"])
    except (ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{path}: {error!r}. It needs injected_at, ISO 8601 with a time zone.") from error
    return Case(path.parent.name, path.parent.parent.parent.name, path.parent, injected_at + ALERT_AFTER, None)


def _own_truth(path: Path) -> Mapping[str, Any]:
    """Return the truth that lies in a recording's own folder; empty for a list of cases, and beside a `case.json`."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: {error!r}. It needs to be JSON.") from error
    return told if isinstance(told, dict) and not (path.parent / "case.json").exists() else {}


def predict(
    case: Case,
    *,
    mask: Callable[[str], str],
    baselines: dict[Path, Recording | None],
    use: frozenset[Modality] = ALL_MODALITIES,
) -> Prediction:
    """Rank one case. `baselines` keeps the fault-free recordings already read. Raises TelemetryError when the case cannot be read."""
    recording, baseline = Recording.load(case.folder, mask=mask), _baseline(case.reference, mask, baselines)
    material, seconds = _fetched(case, recording, baseline)
    return _ranked(case, material, use=use, spent_seconds=seconds)


def predict_varied(
    case: Case, *, mask: Callable[[str], str], baselines: dict[Path, Recording | None]
) -> list[Prediction]:
    """Rank one case in all `VARIATIONS`, see `predict`."""
    recording, baseline = Recording.load(case.folder, mask=mask), _baseline(case.reference, mask, baselines)
    materials: dict[timedelta, Material] = {}
    found = []
    for name, variation in VARIATIONS.items():
        if variation.starts not in materials:
            materials[variation.starts], _ = _fetched(case, recording, baseline, starts=variation.starts)
        material = variation.change(materials[variation.starts])
        found.append(_ranked(case, material, use=variation.use, variation=name))
    return found


@dataclass(frozen=True)
class Outage:
    """A recorded outage in memory, with the time that counts as its incident and the ranking of that."""

    recording: Recording
    incident: Window
    ranking: Ranking


def outage(case: Case, *, mask: Callable[[str], str], baselines: dict[Path, Recording | None]) -> Outage:
    """Load a case and rank it, see `predict`."""
    recording, baseline = Recording.load(case.folder, mask=mask), _baseline(case.reference, mask, baselines)
    material, _ = _fetched(case, recording, baseline)
    return Outage(recording, _incident(case, recording.window), rank_material(material))


def _incident(case: Case, held: Window, *, starts: timedelta = timedelta(0)) -> Window:
    start = max(case.alert_at - BEFORE_ALERT + starts, held.start + BEFORE_ALERT)
    return Window(start, max(held.end, start + BEFORE_ALERT))


def _fetched(
    case: Case, recording: Recording, baseline: Recording | None, *, starts: timedelta = timedelta(0)
) -> tuple[Material, float]:
    """Return a case's material, and the seconds it took to fetch it from the recording in memory; `starts` moves the incident's start."""
    held = recording.window
    incident = _incident(case, held, starts=starts)
    healthy = incident.start + BEFORE_ALERT - HEALTHY_UNTIL
    reference = Window(min(held.start, healthy - BEFORE_ALERT), healthy)
    recording.fetch_spans(reference)  # builds its tables: reading, not ranking
    recording.fetch_metrics(reference)
    began = time.perf_counter()
    material = fetch(recording, incident, reference, baseline, baseline.window if baseline else None)
    return material, time.perf_counter() - began


def _ranked(
    case: Case, material: Material, *, use: frozenset[Modality], spent_seconds: float = 0.0, variation: str = ""
) -> Prediction:
    began = time.perf_counter()
    ranking = rank_material(material, use=use)
    seconds = spent_seconds + time.perf_counter() - began
    services = tuple(suspect.service for suspect in ranking.suspects if not suspect.service.startswith("_"))
    return Prediction(case, services, seconds, ranking, variation)


def _baseline(folder: Path | None, mask: Callable[[str], str], known: dict[Path, Recording | None]) -> Recording | None:
    if folder is None:
        return None
    if folder not in known:
        try:
            known[folder] = Recording.load(folder, mask=mask)
        except TelemetryError:
            known[folder] = None  # a reference may describe the system's topology alone
    return known[folder]


@dataclass(frozen=True)
class Score:
    """How well the cases of a group were ranked. `interval` is top-1's 95 % Wilson interval; seconds are the mean and the most.

    `sure` is the share of cases in which the first suspect stood out enough to be named, `right_when_sure` how often it was right then
    (NaN when it never did).
    """

    cases: int
    top1: float
    top3: float
    mrr: float
    interval: tuple[float, float]
    sure: float
    right_when_sure: float
    mean_seconds: float
    most_seconds: float


def truths(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return what is known of each case by its name. Raises EvaluationError when the file is not a list of cases with a service."""
    try:
        return {
            str(one["case"]): {**one, "service": str(one["service"])}
            for one in json.loads(path.read_text(encoding="utf-8"))
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{path}: {error!r}. It needs a list of objects with case and service.") from error


def known_causes(data: Path, held: Sequence[Case], named: Path | None = None) -> dict[str, Mapping[str, Any]]:
    """Return what is known of the cases: by the truth file named or found near the data, or else by their own folder's."""
    path = named or find_truth(data)
    known = truths(path) if path else {}
    for case in held:
        own = case.folder / OWN_TRUTH
        if case.name not in known and own.is_file() and (told := _own_truth(own)):
            known[case.name] = {**told, "service": str(told.get("service")), "fault_type": str(told.get("fault"))}
    return known


def find_truth(data: Path) -> Path | None:
    """Return the truth file in the folder or up to two folders above it, None when there is none."""
    places = (folder / name for folder in (data, data.parent, data.parent.parent) for name in TRUTH_FILES)
    return next((place for place in places if place.is_file()), None)


def scores(
    predictions: Iterable[Prediction],
    known: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, Score]]:
    """Yield a score for each system, and for each fault family in it ("boutique / cpu"); cases without a truth are left out.

    Of varied predictions, one for each system and variation.
    """
    groups: dict[str, list[_Row]] = {}
    for prediction in predictions:
        truth = known.get(prediction.case.name)
        if truth is None:
            continue
        place = prediction.services.index(truth["service"]) + 1 if truth["service"] in prediction.services else None
        row = _Row(place, prediction.seconds, stands_out(prediction.ranking))
        system = prediction.case.system
        families = (system, f"{system} / {truth.get('fault_type', 'any fault')}")
        for name in (f"{system} / {prediction.variation}",) if prediction.variation else families:
            groups.setdefault(name, []).append(row)
    for name in sorted(groups, key=lambda name: name.partition(" / ")[0]):
        yield name, _score(groups[name])


class _Row(NamedTuple):
    place: int | None
    seconds: float
    sure: bool


def _score(rows: Sequence[_Row]) -> Score:
    first = sum(row.place == 1 for row in rows)
    sure = [row for row in rows if row.sure]
    return Score(
        cases=len(rows),
        top1=first / len(rows),
        top3=sum(row.place is not None and row.place <= 3 for row in rows) / len(rows),
        mrr=sum(1 / row.place for row in rows if row.place) / len(rows),
        interval=wilson(first, len(rows)),
        sure=len(sure) / len(rows),
        right_when_sure=sum(row.place == 1 for row in sure) / len(sure) if sure else math.nan,
        mean_seconds=sum(row.seconds for row in rows) / len(rows),
        most_seconds=max(row.seconds for row in rows),
    )


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `total` trials, at least 1. Source: Wilson 1927."""
    z = 1.96
    share = hits / total
    middle = share + z * z / (2 * total)
    margin = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (middle - margin) / scale), min(1.0, (middle + margin) / scale)
