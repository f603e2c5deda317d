"""Recordings: a folder of OTLP/JSON lines, as the OpenTelemetry Collector's file exporter writes them, in and out."""

import gzip
import logging
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import orjson

from incidents.telemetry import metric_series, span_series, versions
from incidents.telemetry.attributes import Mask
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import (
    ChangeRecord,
    LogRecord,
    MetricPoint,
    MetricSeries,
    ServiceTags,
    Span,
    SpanTable,
    Window,
    from_ns,
    span_table,
)
from incidents.telemetry.otlp import Decoded, MalformedOtlp, Signal, decode

SIGNALS: tuple[Signal, ...] = ("traces", "logs", "metrics")
LONGEST_LINE = 64 * 1024 * 1024  # bytes after decompression
MOST_BROKEN = 100

log = logging.getLogger(__name__)


def is_recording(folder: Path) -> bool:
    """Say whether the folder holds at least one of a recording's three files."""
    return bool(_files(folder))


def _files(folder: Path) -> list[tuple[Signal, Path]]:
    return [
        (signal, path)
        for signal in SIGNALS
        for path in (folder / f"{signal}.jsonl.gz", folder / f"{signal}.jsonl")
        if path.is_file()
    ]


def read(folder: Path, *, mask: Mask, on_broken: Callable[[str], None] = log.warning) -> Iterator[Decoded]:
    """Yield what each line of the recording's files decodes to, file by file; any of the three files may be absent.

    A line that cannot be read is told to `on_broken` as "file:line: reason" and left out, and so are refused records.
    Raises TelemetryError when the folder holds no recording.
    """
    files = _files(folder)
    if not files:
        raise TelemetryError(
            f"{folder} holds no recording: expected traces.jsonl.gz, logs.jsonl.gz or metrics.jsonl.gz in it."
        )
    for signal, path in files:
        yield from _read_file(signal, path, mask=mask, on_broken=on_broken)


def _read_file(signal: Signal, path: Path, *, mask: Mask, on_broken: Callable[[str], None]) -> Iterator[Decoded]:
    number = 0
    try:
        with cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as lines:
            while line := lines.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    on_broken(
                        f"{path.name}:{number}: the line is longer than {LONGEST_LINE} bytes; the rest of the file is left out"
                    )
                    return
                if not line.strip():
                    continue
                try:
                    decoded = decode(signal, line, encoding="json", mask=mask)
                except MalformedOtlp as malformed:
                    on_broken(f"{path.name}:{number}: {malformed}")
                    continue
                if decoded.batch.rejected:
                    on_broken(
                        f"{path.name}:{number}: {decoded.batch.rejected} records refused, the first because {decoded.batch.reason}"
                    )
                yield decoded
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        on_broken(f"{path.name}:{number + 1}: the file is damaged or cut short ({error}); what came before is kept")
    except OSError as error:
        raise TelemetryError(f"{path} cannot be read: {error.strerror or error}.") from error


@dataclass(frozen=True)
class Recording:
    """A recording in memory, asked like any telemetry backend. `broken` tells which lines were left out and why."""

    name: str
    spans: Sequence[Span]
    logs: Sequence[LogRecord]
    points: Sequence[MetricPoint]
    tags: dict[str, ServiceTags] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    broken: tuple[str, ...] = ()

    @classmethod
    def load(cls, folder: Path, *, mask: Mask) -> "Recording":
        """Read a folder. Raises TelemetryError when it holds no recording or not one readable record."""
        spans: list[Span] = []
        logs: list[LogRecord] = []
        points: list[MetricPoint] = []
        tags: dict[str, ServiceTags] = {}
        seen: dict[tuple[str, str], int] = {}
        broken: list[str] = []
        for decoded in read(folder, mask=mask, on_broken=broken.append):
            spans.extend(decoded.batch.spans)
            logs.extend(decoded.batch.logs)
            points.extend(decoded.batch.points)
            tags.update(decoded.tags)
            versions.merge(seen, decoded.versions)
        if not (spans or logs or points):
            raise TelemetryError(
                f"{folder} holds not one readable record. {'; '.join(broken[:3]) or 'Its files are empty.'}"
            )
        logs.sort(key=lambda record: record.time_ns)
        told = (
            (*broken[:MOST_BROKEN], f"and {len(broken) - MOST_BROKEN} more")
            if len(broken) > MOST_BROKEN
            else tuple(broken)
        )
        return cls(f"recording {folder.name}", spans, logs, points, tags, seen, told)

    @cached_property
    def window(self) -> Window:
        """From the first record to just after the last one."""
        times = [(min(found), max(found)) for found in self._times() if found]
        return Window(from_ns(min(low for low, _ in times)), from_ns(max(high for _, high in times) + 1_000))

    def _times(self) -> tuple[list[int], ...]:
        return self._table.start_ns.tolist(), [r.time_ns for r in self.logs], [p.time_ns for p in self.points]

    @cached_property
    def _table(self) -> SpanTable:
        return span_table(self.spans)

    @cached_property
    def _stored(self) -> list[metric_series.StoredSeries]:
        return metric_series.stored(self.points)

    @cached_property
    def _series(self) -> list[MetricSeries]:
        return metric_series.series(self._stored) + span_series.series(
            span_series.count(self._table), window=self.window
        )

    @cached_property
    def _traces(self) -> dict[bytes, list[Span]]:
        traces: dict[bytes, list[Span]] = {}
        for span in self.spans:
            traces.setdefault(span.trace_id, []).append(span)
        return traces

    def fetch_metrics(self, window: Window, *, services: Sequence[str] | None = None) -> list[MetricSeries]:
        """Return every series with a sample in the window, those derived from spans included."""
        wanted = (s.between(window) for s in self._series if services is None or s.key.service in services)
        return [s for s in wanted if len(s.times)]

    def fetch_spans(self, window: Window, *, services: Sequence[str] | None = None) -> SpanTable:
        """Return the spans that start in the window."""
        table = self._table
        rows = (table.start_ns >= window.start_ns) & (table.start_ns < window.end_ns)
        if services is not None:
            rows &= np.isin(table.service, [i for i, name in enumerate(table.services) if name in services])
        return table.select(rows)

    def fetch_trace(self, trace_id: bytes) -> list[Span]:
        """Return one trace's spans by start; empty when it is unknown."""
        return sorted(self._traces.get(trace_id, ()), key=lambda span: span.start_ns)

    def fetch_logs(
        self, window: Window, *, services: Sequence[str] | None = None, limit: int = 50_000
    ) -> list[LogRecord]:
        """Return the log lines in the window in time order; at most `limit`, the newest when there are more."""
        low = bisect_left(self.logs, window.start_ns, key=lambda record: record.time_ns)
        high = bisect_left(self.logs, window.end_ns, key=lambda record: record.time_ns)
        found = [record for record in self.logs[low:high] if services is None or record.service in services]
        return found[-limit:]

    def fetch_changes(self, window: Window) -> list[ChangeRecord]:
        """Return the versions first seen in the window that followed another one."""
        return versions.changes(self.versions, window=window)


class RecordingWriter:
    """Writes a recording: one OTLP/JSON export request a line, compressed. Use it as a context, or close it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._raw: dict[Signal, BinaryIO] = {}
        self._files: dict[Signal, gzip.GzipFile] = {}

    def write(self, signal: Signal, request: bytes) -> None:
        """Append one request, given as OTLP/JSON. Raises MalformedOtlp when it is no JSON object: a recording must be readable."""
        try:
            document = orjson.loads(request)
        except orjson.JSONDecodeError as error:
            raise MalformedOtlp(f"The {signal} request is not JSON: {error}.") from error
        if not isinstance(document, dict):
            raise MalformedOtlp(f"The {signal} request is a JSON {type(document).__name__}; expected an object.")
        if signal not in self._files:
            # No name and time in the header: equal recordings are equal files.
            self._raw[signal] = (self._folder / f"{signal}.jsonl.gz").open("wb")
            self._files[signal] = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw[signal], mtime=0)
        self._files[signal].write(orjson.dumps(document) + b"\n")

    def close(self) -> None:
        """Finish the files."""
        for signal, file in self._files.items():
            file.close()
            self._raw[signal].close()
        self._files.clear()

    def __enter__(self) -> "RecordingWriter":
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()
