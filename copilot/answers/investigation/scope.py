"""What an incident knows, and so all that a tool's arguments may name: services, series, files, traces, patterns."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from copilot.answers import naming
from copilot.answers.investigation.found import Sources
from copilot.evidence.bundle import Evidence
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import SeriesKey, Window

LONGEST = timedelta(hours=24)
BEFORE = timedelta(minutes=15)  # what a window holds of the time before, when none is named
MOST_SERVICES, MOST_SERIES = 300, 4_000
MOST_NAMED = 60  # names that a refusal or a definition lists


@dataclass(frozen=True)
class Scope:
    """`series` are by service; `patterns` are log templates by the evidence id that shows them; `traces` are ids in hex; `results` are
    how many lines each kept result has, by the number of its step."""

    start: datetime
    end: datetime
    now: datetime
    services: tuple[str, ...]
    series: Mapping[str, tuple[SeriesKey, ...]] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    patterns: dict[str, tuple[str, str]] = field(default_factory=dict)
    traces: set[str] = field(default_factory=set)
    results: dict[int, int] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the names of all series, each once."""
        return tuple(sorted({key.name for keys in self.series.values() for key in keys}))

    def metrics_of(self, service: str) -> list[str]:
        """Return the names of a service's series."""
        return sorted({key.name for key in self.series.get(service, ())})

    def operations_of(self, service: str) -> list[str]:
        """Return the operations that a service's series tell apart."""
        found = (json.loads(key.attributes).get("operation") for key in self.series.get(service, ()))
        return sorted({str(each) for each in found if each})

    def window(self, from_minute: int, to_minute: int | None) -> Window:
        """Return the window that minutes from the incident's start mean; without an end, until the incident's. Never beyond `now`."""
        start = self.start + timedelta(minutes=from_minute)
        end = self.end if to_minute is None else self.start + timedelta(minutes=to_minute)
        start = min(start, self.now - timedelta(minutes=1))
        return Window(start, max(min(end, self.now), start + timedelta(minutes=1)))

    def learn(self, items: Iterable[Evidence]) -> None:
        """Take up what these items show: their traces and patterns may be asked for."""
        for item in items:
            self.traces.update(_traces_in(item.detail))
            if template := item.detail.get("template"):
                self.patterns[item.id] = (item.service, str(template))


def scope_of(sources: Sources) -> Scope:
    """Return the scope of an incident, or of files alone."""
    bundle = sources.bundle
    services = sorted(naming.all_services(bundle))[:MOST_SERVICES]
    scope = Scope(
        start=bundle.incident_start,
        end=bundle.incident_end,
        now=max(sources.now, bundle.incident_end),
        services=tuple(services),
        series=_series(sources, services),
        files=tuple(file.name for file in sources.files),
    )
    scope.learn((*bundle.items, *bundle.earlier))
    return scope


def closest(name: str, known: Sequence[str]) -> str:
    """Return the names that are most like one that is not known, for a refusal: at most twelve."""
    near = get_close_matches(name, known, n=12, cutoff=0.3) or list(known[:12])
    return ", ".join(near) or "none"


def _series(sources: Sources, services: Sequence[str]) -> dict[str, tuple[SeriesKey, ...]]:
    if sources.recording is not None:
        return _by_service(sources.recording.series)
    if sources.backend is None or not services:
        return {}
    window = Window(sources.window.start - BEFORE, sources.window.end)
    try:
        found = [series.key for series in sources.backend.fetch_metrics(window, services=services)]
    except TelemetryError:
        return {}  # each tool says so itself, with the reason
    return _by_service(found)


def _by_service(found: Iterable[SeriesKey]) -> dict[str, tuple[SeriesKey, ...]]:
    by_service: dict[str, list[SeriesKey]] = {}
    for key in sorted(found)[:MOST_SERIES]:
        by_service.setdefault(key.service, []).append(key)
    return {service: tuple(keys) for service, keys in by_service.items()}


def _traces_in(detail: Mapping[str, Any]) -> set[str]:
    lines = detail.get("lines", ())
    found = {str(detail.get("trace_id") or ""), *(str(line.get("trace_id") or "") for line in lines)}
    return {each for each in found if each.strip("0")}
