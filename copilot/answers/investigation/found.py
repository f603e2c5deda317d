"""What a tool works with, and what it brings back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from copilot.evidence.attached.files import AttachedFile
from copilot.evidence.bundle import Evidence, EvidenceBundle
from incidents.models import Incident
from incidents.telemetry.backend import TelemetryBackend
from incidents.telemetry.datamodel import SeriesKey, Window
from runbooks.passages import SearchResult

Search = Callable[[str, str], SearchResult]  # (words, kind of document) to passages


@dataclass(frozen=True, slots=True)
class Found:
    """What a tool brings back: items of evidence without ids, most telling first; a table behind them, a row a line, kept whole and
    read in pages; and a sentence on what was left out or not there."""

    items: tuple[Evidence, ...] = ()
    lines: tuple[str, ...] = ()
    note: str = ""


class Recording(Protocol):
    """What an earlier investigation found, in place of everything that could be asked now."""

    @property
    def series(self) -> tuple[SeriesKey, ...]:
        """The series that may be asked for."""

    def look(self, tool: str, values: Mapping[str, Any]) -> Found:
        """Return what the same call found then. Raises NothingThere."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Who answers a tool. `incident` is None for files without one; then `bundle` is what the files show. `now` bounds every window.

    With a `recording` nobody else is asked.
    """

    backend: TelemetryBackend | None
    incident: Incident | None
    bundle: EvidenceBundle
    files: tuple[AttachedFile, ...]
    search: Search
    now: datetime
    recording: Recording | None = None

    @property
    def window(self) -> Window:
        """Return the incident's own time."""
        return Window(self.bundle.incident_start, self.bundle.incident_end)


class NothingThere(Exception):
    """A tool cannot answer; the message says why, and what to ask instead."""
