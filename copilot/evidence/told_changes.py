"""A telemetry backend that also knows the changes which delivery pipelines told: ranking and evidence ask one for both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from incidents.models import Change
from incidents.telemetry.backend import TelemetryBackend
from incidents.telemetry.datamodel import ChangeRecord, LogRecord, MetricSeries, Span, SpanTable, Window

MOST = 500  # told changes in a window, the newest
SAME_WITHIN = timedelta(minutes=30)  # a rollout that is told begins so long before its version is seen


@dataclass(frozen=True)
class WithToldChanges:
    """Answers as the backend does; of a change that was both told and seen, the told one is given, with the versions that were seen."""

    backend: TelemetryBackend

    @property
    def name(self) -> str:
        """What people call the backend."""
        return self.backend.name

    def fetch_metrics(self, window: Window, *, services: Sequence[str] | None = None) -> list[MetricSeries]:
        """As the backend."""
        return self.backend.fetch_metrics(window, services=services)

    def fetch_spans(self, window: Window, *, services: Sequence[str] | None = None) -> SpanTable:
        """As the backend."""
        return self.backend.fetch_spans(window, services=services)

    def fetch_trace(self, trace_id: bytes) -> list[Span]:
        """As the backend."""
        return self.backend.fetch_trace(trace_id)

    def fetch_logs(
        self, window: Window, *, services: Sequence[str] | None = None, limit: int = 50_000
    ) -> list[LogRecord]:
        """As the backend."""
        return self.backend.fetch_logs(window, services=services, limit=limit)

    def fetch_changes(self, window: Window) -> list[ChangeRecord]:
        """Return what was seen and what was told, in time order, each change once."""
        seen = self.backend.fetch_changes(window)
        told = _told(Window(window.start - SAME_WITHIN, window.end))
        matched = {id(one): _twin(one, told) for one in seen}
        twins = {id(twin): one for one in seen if (twin := matched[id(one)]) is not None}
        kept = [one for one in seen if matched[id(one)] is None]
        for one in told:
            also_seen = twins.get(id(one))
            if also_seen is not None:
                kept.append(
                    one._replace(version_before=also_seen.version_before, version_after=also_seen.version_after)
                )
            elif one.at >= window.start:
                kept.append(one)
        return sorted(kept)


def _told(window: Window) -> list[ChangeRecord]:
    rows = (
        Change.objects.filter(source="live", at__gte=window.start, at__lt=window.end)
        .exclude(told_by="")
        .order_by("-at")
    )
    return [
        ChangeRecord(row.at, row.service, _title(row), row.version_before, row.version_after, row.told_by)
        for row in rows[:MOST]
    ]


def _title(row: Change) -> str:
    """Say with a deploy that did not go well how it ended."""
    return f"{row.title}, {row.status}" if row.status in ("failed", "started") else row.title


def _twin(seen: ChangeRecord, told: Sequence[ChangeRecord]) -> ChangeRecord | None:
    """Return the told change that a new version was seen after."""
    return next(
        (
            one
            for one in told
            if one.service == seen.service
            and one.version_after.removeprefix("v") == seen.version_after.removeprefix("v")
            and timedelta(minutes=-1) <= seen.at - one.at <= SAME_WITHIN
        ),
        None,
    )
