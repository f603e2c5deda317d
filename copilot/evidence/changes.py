"""Change evidence: what was deployed or set shortly before."""

from collections.abc import Sequence
from datetime import datetime

from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.wording import clock, span_of_time
from incidents.telemetry.datamodel import ChangeRecord, Window


def from_record(change: ChangeRecord, *, incident_start: datetime, window: Window, backend: str) -> Evidence:
    """Return the item that shows one change and how long before (or after) the incident's start it happened."""
    versions = (
        f" from {change.version_before} to {change.version_after}"
        if change.version_before and change.version_after
        else ""
    )
    distance = incident_start - change.at
    when = (
        f"{span_of_time(distance)} before the incident began"
        if distance.total_seconds() >= 0
        else f"{span_of_time(-distance)} after the incident began"
    )
    return Evidence(
        id="",
        kind=Kind.CHANGE,
        role=Role.CONTEXT,
        service=change.service,
        title=f"Change: {change.service} {change.version_before} → {change.version_after}"
        if versions
        else f"Change: {change.title}",
        statement=f"{change.service} changed{versions} at {clock(change.at)}, {when} ({change.title}).",
        start=window.start,
        end=window.end,
        statistic={"before incident": {"value": distance.total_seconds(), "unit": "s"}},
        query=f'{"change" if change.told_by else "service.version"}{{service="{change.service}"}}',
        backend=change.told_by or backend,
        detail={
            "at": change.at.isoformat(),
            "service": change.service,
            "title": change.title,
            "version_before": change.version_before,
            "version_after": change.version_after,
        },
    )


def nearest(changes: Sequence[ChangeRecord], *, incident_start: datetime, limit: int) -> list[ChangeRecord]:
    """Return the changes nearest before the start first; those after it come last."""
    return sorted(changes, key=lambda c: (c.at > incident_start, abs((incident_start - c.at).total_seconds())))[:limit]
