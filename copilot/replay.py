"""Replays a recording through the same line as live telemetry, in a hot-store schema of its own."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction

from copilot import pipeline
from incidents import lifecycle, monitoring
from incidents.detection.anomaly import AnomalyGroup
from incidents.intake.masking import mask
from incidents.localization.ranking import rank
from incidents.localization.suspects import Ranking
from incidents.models import Incident
from incidents.telemetry import recording
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import NANOSECONDS, TelemetryBatch, Window
from incidents.telemetry.otlp import Decoded
from incidents.telemetry.store import HotStore
from runbooks import search

BULK_RECORDS = 20_000  # stored in one transaction
ALERT_LEAD = timedelta(minutes=3)  # how long before an alert its cause usually began


@dataclass(frozen=True)
class Replay:
    """What a replay found. `incidents` is empty when nothing opened; `broken` names lines that could not be read."""

    schema: str
    window: Window
    incidents: tuple[Incident, ...]
    opened_by_alert: bool
    records: int
    broken: tuple[str, ...]
    stage_seconds: dict[str, float]


def replay(folder: Path, *, now: datetime, baseline: Path | None = None, shift_to_now: bool = False) -> Replay:
    """Replay a folder: store it, detect along its own time, open its incidents, investigate them.

    A folder replayed before is replaced, its incidents too. With `shift_to_now` every time moves so that the recording ends at `now`;
    otherwise times stay as recorded. Raises TelemetryError when the folder holds nothing readable, or the store cannot take it.
    """
    stages = pipeline.Stages()
    schema = schema_of(folder)
    store = HotStore(settings.DATABASE_URL, schema=schema)
    broken: list[str] = []
    with stages.timed("loading"):
        search.warm_up()
    with stages.timed("storing"):
        _forget(store)
        records, shifted_by = _fill(store, folder, end_at=now if shift_to_now else None, broken=broken)
        window = store.window()
        if window is None:
            raise TelemetryError(
                f"{folder} holds not one readable record. {'; '.join(broken[:3]) or 'Its files are empty.'}"
            )
    with stages.timed("detection"):
        groups = monitoring.detect(store, window=window)
    given = [] if groups else _alert_groups(folder)
    usual = recording.Recording.load(baseline, mask=mask) if baseline else None
    # One transaction: a worker that sees the incident finds it investigated already, with the baseline that only we have.
    with transaction.atomic():
        opened = [
            lifecycle.open_or_join(group, source=schema, now=min(group.opened_at, now)) for group in groups or given
        ]
        found = list({incident.pk: incident for incident in opened}.values())
        for incident in found:
            pipeline.investigate(incident.pk, now=window.end, backend=store, baseline=usual, shifted_by=shifted_by)
    for incident in found:
        incident.refresh_from_db()
        for name, seconds in incident.investigation.stage_seconds.items():
            stages.seconds[name] = round(stages.seconds.get(name, 0.0) + seconds, 3)
    return Replay(schema, window, tuple(found), bool(given), records, tuple(broken), stages.seconds)


@dataclass(frozen=True)
class DryRun:
    """What a replay in memory found: groups with the ranking of each. Nothing was stored."""

    window: Window
    found: tuple[tuple[AnomalyGroup, Ranking], ...]
    opened_by_alert: bool
    broken: tuple[str, ...]
    stage_seconds: dict[str, float]


def dry_run(folder: Path, *, baseline: Path | None = None) -> DryRun:
    """Detect and localize a recording in memory: no database, no evidence. Raises TelemetryError when nothing can be read."""
    stages = pipeline.Stages()
    with stages.timed("reading"):
        held = recording.Recording.load(folder, mask=mask)
        usual = recording.Recording.load(baseline, mask=mask) if baseline else None
    with stages.timed("detection"):
        groups = monitoring.detect(held, window=held.window)
    given = [] if groups else _alert_groups(folder)
    found = []
    with stages.timed("localization"):
        for group in groups or given:
            last = max((e.ended_at or held.window.end for e in group.episodes), default=held.window.end)
            end = min(last + pipeline.AFTERWARDS, group.started_at + pipeline.LONGEST, held.window.end)
            incident = Window(group.started_at, max(end, group.started_at + pipeline.SHORTEST))
            reference = Window(incident.start - pipeline.REFERENCE, incident.start)
            found.append((group, rank(held, incident=incident, reference=reference, baseline=usual)))
    return DryRun(held.window, tuple(found), bool(given), tuple(held.broken), stages.seconds)


def schema_of(folder: Path) -> str:
    """Return the hot-store schema of a folder's replay; the same folder name gives the same schema."""
    return "replay_" + re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower()).strip("_")[:50]


def _fill(store: HotStore, folder: Path, *, end_at: datetime | None, broken: list[str]) -> tuple[int, timedelta]:
    """Store a folder; return how many records it held, and by how much their times were moved so that they end at `end_at`."""
    batches: Iterable[Decoded] = recording.read(folder, mask=mask, on_broken=broken.append)
    shift_seconds = 0
    if end_at is not None:
        held = list(batches)
        newest = max((_newest_ns(decoded.batch) for decoded in held), default=0)
        # Whole seconds, so that every sample keeps its place in the minute.
        shift_seconds = int(end_at.timestamp()) - newest // NANOSECONDS
        batches = _shifted(held, by_ns=shift_seconds * NANOSECONDS)
    store.prepare()
    records = 0
    for decoded in _in_bulk(batches):
        store.write(decoded)
        records += _count(decoded.batch)
    return records, timedelta(seconds=shift_seconds)


def _in_bulk(batches: Iterable[Decoded]) -> Iterator[Decoded]:
    """Join small requests: a transaction for each line of a file would take most of the time."""
    held: list[Decoded] = []
    size = 0
    for decoded in batches:
        held.append(decoded)
        size += _count(decoded.batch)
        if size >= BULK_RECORDS:
            yield _joined(held)
            held, size = [], 0
    if held:
        yield _joined(held)


def _joined(held: list[Decoded]) -> Decoded:
    seen: dict[tuple[str, str], int] = {}
    for decoded in held:
        for version, first_ns in decoded.versions.items():
            seen[version] = min(first_ns, seen.get(version, first_ns))
    batch = TelemetryBatch(
        spans=[span for decoded in held for span in decoded.batch.spans],
        logs=[line for decoded in held for line in decoded.batch.logs],
        points=[point for decoded in held for point in decoded.batch.points],
    )
    return Decoded(batch, {name: tags for decoded in held for name, tags in decoded.tags.items()}, seen)


def _count(batch: TelemetryBatch) -> int:
    return len(batch.spans) + len(batch.logs) + len(batch.points)


def _shifted(held: list[Decoded], *, by_ns: int) -> Iterable[Decoded]:
    for decoded in held:
        batch = decoded.batch
        yield decoded._replace(
            versions={version: first_ns + by_ns for version, first_ns in decoded.versions.items()},
            batch=batch._replace(
                spans=[span._replace(start_ns=span.start_ns + by_ns) for span in batch.spans],
                logs=[line._replace(time_ns=line.time_ns + by_ns) for line in batch.logs],
                points=[point._replace(time_ns=point.time_ns + by_ns) for point in batch.points],
            ),
        )


def _newest_ns(batch: TelemetryBatch) -> int:
    return max(
        max((span.start_ns + span.duration_ns for span in batch.spans), default=0),
        max((line.time_ns for line in batch.logs), default=0),
        max((point.time_ns for point in batch.points), default=0),
    )


def _forget(store: HotStore) -> None:
    with transaction.atomic():
        Incident.objects.filter(source=store.schema).delete()
    store.drop_schema()


def _alert_groups(folder: Path) -> list[AnomalyGroup]:
    """Return the alert that was kept with the recording (`alert_at` in case.json), for one in which nothing opened by itself."""
    kept = folder / "case.json"
    if not kept.exists():
        return []
    alert_at = datetime.fromisoformat(json.loads(kept.read_text(encoding="utf-8"))["alert_at"])
    return [
        AnomalyGroup(
            episodes=(),
            services=(),
            started_at=alert_at - ALERT_LEAD,
            opened_at=alert_at,
            severity=3,
            title=f"Alert at {alert_at:%H:%M:%S} UTC; no signal left its usual range by itself",
        )
    ]
