"""Scores openings on recorded outages: whether live detection would have opened an incident soon after the fault, and none before.

Recordings are short, live detection knows the hour before. A fault-free recording of the same system is laid before each as its history,
as if it had just ended. A group that opens within `IN_TIME` of the injection is right; each that opens before it, or in a fault-free
recording, is a false opening.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from incidents import monitoring
from incidents.detection import baseline, correlation
from incidents.detection.signals import BUCKET_SECONDS, is_derived
from incidents.localization.evaluation import Case
from incidents.telemetry.datamodel import MetricSeries, Window
from incidents.telemetry.recording import Recording

IN_TIME = timedelta(minutes=3)
QUIET = timedelta(minutes=2)  # before the injection, looked at for false openings
# What is recorded in one go has no hole as long as this.
PIECE_GAP_SECONDS = 300.0


@dataclass(frozen=True)
class Opening:
    """What live detection would have done with one recording. `injected_at` is None for a fault-free one.

    `after_seconds` is how long after the injection the first group in time opened, None when none did; `title` is that one's; `false` are
    the openings without a fault, and `quiet_minutes` how long there was none.
    """

    system: str
    name: str
    after_seconds: float | None
    title: str
    false: tuple[str, ...]
    quiet_minutes: float
    is_calm: bool = False


def opening(case: Case, *, injected_at: datetime, mask: Callable[[str], str], history: Recording | None) -> Opening:
    """Say when an incident would have been opened for one case. Raises TelemetryError when the case cannot be read."""
    recording = Recording.load(case.folder, mask=mask)
    # Metrics often reach back into earlier faults, whose incident would be the one that this fault joins.
    window = Window(max(recording.window.start, injected_at - QUIET), recording.window.end)
    groups = _groups(recording, window, history)
    after = [group for group in groups if injected_at <= group[0] <= injected_at + IN_TIME]
    first = min(after, default=None)
    return Opening(
        case.system,
        case.name,
        (first[0] - injected_at).total_seconds() if first else None,
        first[1] if first else "",
        tuple(title for at, title in groups if at < injected_at),
        max((injected_at - window.start).total_seconds() / 60.0, 0.0),
    )


def calm(folder: Path, *, system: str, recording: Recording) -> Opening:
    """Say how often an incident would have been opened in a fault-free recording, judged by itself alone."""
    groups = _groups(recording, recording.window, None)
    samples = [one.times for one in recording.fetch_metrics(recording.window) if not is_derived(one.key)]
    covered = max((len(np.unique(np.floor(times / 60.0))) for times in samples), default=0)
    return Opening(system, folder.name, None, "", tuple(title for _, title in groups), float(covered), is_calm=True)


def _groups(recording: Recording, window: Window, history: Recording | None) -> list[tuple[datetime, str]]:
    series = recording.fetch_metrics(window)
    before = history.fetch_metrics(history.window) if history else []
    edges = monitoring.edges_of(recording, window=window, series=series)
    episodes = baseline.find_episodes(preceded(series, before), window=window)
    return [(group.opened_at, group.title) for group in correlation.group(episodes, edges=edges)]


@dataclass(frozen=True)
class Openings:
    """A system's openings: how many of its faults opened an incident in time, and how many opened without one, in how many minutes."""

    system: str
    cases: int
    opened: int
    median_seconds: float
    false: int
    quiet_minutes: float


def summed(found: Sequence[Opening]) -> list[Openings]:
    """Return the sums by system. `median_seconds` is NaN where nothing opened in time."""
    rows = []
    for system in sorted({one.system for one in found}):
        these = [one for one in found if one.system == system]
        after = [one.after_seconds for one in these if one.after_seconds is not None]
        rows.append(
            Openings(
                system,
                cases=sum(not one.is_calm for one in these),
                opened=len(after),
                median_seconds=float(np.median(after)) if after else math.nan,
                false=sum(len(one.false) for one in these),
                quiet_minutes=sum(one.quiet_minutes for one in these),
            )
        )
    return rows


def preceded(series: Sequence[MetricSeries], before: Sequence[MetricSeries]) -> list[MetricSeries]:
    """Return the series with those of another recording laid before them as if they had just ended, holes between their pieces closed.

    What is derived from spans and what was reported are recorded over different times and moved apart, each as a whole.
    """
    earlier = {one.key: one for one in before}
    joined = []
    for derived in (True, False):
        these = [one for one in series if is_derived(one.key) == derived]
        those = [one for one in before if is_derived(one.key) == derived]
        if not these or not those:
            joined += these
            continue
        moments = np.unique(np.concatenate([one.times for one in those]))
        gaps = np.diff(moments)
        step = BUCKET_SECONDS if derived else float(np.median(np.concatenate([np.diff(one.times) for one in those])))
        closed = np.concatenate([[0.0], np.cumsum(np.where(gaps > PIECE_GAP_SECONDS, step, gaps))])
        begins = min(float(one.times[0]) for one in these)
        for one in these:
            old = earlier.get(one.key)
            if old is not None:
                moved = begins - step - closed[-1] + closed[np.searchsorted(moments, old.times)]
                one = replace(
                    one, times=np.concatenate([moved, one.times]), values=np.concatenate([old.values, one.values])
                )
            joined.append(one)
    return joined
