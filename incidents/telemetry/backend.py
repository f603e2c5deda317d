"""What every telemetry backend answers: the built-in store, a recording in memory, or a company's own system."""

from collections.abc import Sequence
from typing import Protocol

from incidents.telemetry.datamodel import ChangeRecord, LogRecord, MetricSeries, Span, SpanTable, Window


class TelemetryError(Exception):
    """A backend could not answer. The message names the host, the status, the seconds it took, the query and the window."""


class TelemetryBackend(Protocol):
    """Answers questions about a window. Every method raises TelemetryError when the backend cannot answer.

    `services` limits to those services; None means all. Nothing is fetched beyond the window.
    """

    @property
    def name(self) -> str:
        """What people call it: "built-in store", "Prometheus at host:port", "recording cpu-hog"."""

    def fetch_metrics(self, window: Window, *, services: Sequence[str] | None = None) -> list[MetricSeries]:
        """Return every series with a sample in the window, those derived from spans included (see `span_series`)."""

    def fetch_spans(self, window: Window, *, services: Sequence[str] | None = None) -> SpanTable:
        """Return the spans that start in the window."""

    def fetch_trace(self, trace_id: bytes) -> list[Span]:
        """Return one trace's spans by start; empty when it is unknown."""

    def fetch_logs(
        self, window: Window, *, services: Sequence[str] | None = None, limit: int = 50_000
    ) -> list[LogRecord]:
        """Return the log lines in the window in time order; at most `limit`, the newest when there are more."""

    def fetch_changes(self, window: Window) -> list[ChangeRecord]:
        """Return what was changed in the window in time order: explicit change events, and new `service.version` values seen."""
