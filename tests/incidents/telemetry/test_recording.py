import gzip
from datetime import UTC, datetime, timedelta

import pytest

from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import ChangeRecord, Window
from incidents.telemetry.otlp import MalformedOtlp
from incidents.telemetry.recording import Recording, RecordingWriter, is_recording, read
from tests.incidents.telemetry import requests
from tests.incidents.telemetry.requests import NOON, SECOND
from tests.outage import BEGAN_AT, ENDED_AT, write_outage

NOON_AT = datetime(2026, 3, 14, 12, tzinfo=UTC)
MINUTE = Window(NOON_AT, NOON_AT + timedelta(minutes=1))


def write(folder, **lines):
    with RecordingWriter(folder) as writer:
        for signal, documents in lines.items():
            for document in documents:
                writer.write(signal, requests.in_json(document))
    return folder


def cart(folder):
    spans = [requests.span(i + 1, at=NOON + i * SECOND, kind=2) for i in range(50)]
    return write(
        folder,
        traces=[
            requests.request("traces", spans),
            requests.request("traces", [requests.span(99, at=NOON + 55 * SECOND)], service="other"),
        ],
        logs=[requests.request("logs", [requests.line(f"line {i}", at=NOON + (9 - i) * SECOND) for i in range(10)])],
        metrics=[requests.request("metrics", [requests.gauge("memory", [1, 2, 3])])],
    )


def test_what_was_written_is_read(tmp_path):
    recording = Recording.load(cart(tmp_path), mask=str)
    assert len(recording.fetch_spans(MINUTE)) == 51
    assert [r.body for r in recording.fetch_logs(MINUTE, limit=3)] == ["line 2", "line 1", "line 0"]
    assert {s.key.name for s in recording.fetch_metrics(MINUTE)} >= {"memory", "requests_per_second", "duration_p99"}
    assert recording.window.start == NOON_AT
    assert recording.broken == ()


def test_only_the_asked_services_and_times_are_returned(tmp_path):
    recording = Recording.load(cart(tmp_path), mask=str)
    assert len(recording.fetch_spans(MINUTE, services=["other"])) == 1
    assert recording.fetch_logs(MINUTE, services=["other"]) == []
    assert {s.key.service for s in recording.fetch_metrics(MINUTE, services=["other"])} <= {"other"}
    later = Window(NOON_AT + timedelta(seconds=40), NOON_AT + timedelta(seconds=50))
    assert len(recording.fetch_spans(later)) == 10
    assert all(NOON / SECOND + 40 <= t < NOON / SECOND + 50 for s in recording.fetch_metrics(later) for t in s.times)


def test_a_trace_comes_back_by_start(tmp_path):
    recording = Recording.load(cart(tmp_path), mask=str)
    trace = recording.fetch_trace(bytes.fromhex(requests.TRACE))
    assert [s.start_ns for s in trace] == sorted(s.start_ns for s in trace)
    assert recording.fetch_trace(bytes(16)) == []


def test_a_broken_line_is_told_and_left_out(tmp_path):
    folder = write_outage(tmp_path, broken_line=True)
    recording = Recording.load(folder, mask=str)
    assert len(recording.broken) == 1
    assert recording.broken[0].startswith("traces.jsonl.gz:")
    assert len(recording.spans) > 1_000
    assert BEGAN_AT <= recording.window.start < recording.window.end <= ENDED_AT + timedelta(seconds=30)


def test_a_file_that_is_cut_short_gives_what_came_before(tmp_path):
    folder = cart(tmp_path)
    logs = folder / "logs.jsonl.gz"
    logs.write_bytes(logs.read_bytes()[:-12])
    traces = folder / "traces.jsonl.gz"
    traces.write_bytes(traces.read_bytes() + b"garbage")
    recording = Recording.load(folder, mask=str)
    assert len(recording.spans) == 51
    assert sorted(told.partition(":")[0] for told in recording.broken) == ["logs.jsonl.gz", "traces.jsonl.gz"]
    assert all("cut short" in told for told in recording.broken)


def test_refused_records_are_told(tmp_path):
    write(tmp_path, traces=[requests.request("traces", [requests.span(), requests.span(traceId="xyz")])])
    assert Recording.load(tmp_path, mask=str).broken == (
        "traces.jsonl.gz:1: 1 records refused, the first because traceId 'xyz' is not hexadecimal",
    )


def test_plain_and_missing_files_are_fine(tmp_path):
    (tmp_path / "logs.jsonl").write_bytes(requests.in_json(requests.request("logs", [requests.line()])) + b"\n\n")
    recording = Recording.load(tmp_path, mask=str)
    assert (len(recording.logs), len(recording.fetch_spans(MINUTE)), recording.fetch_metrics(MINUTE)) == (1, 0, [])


def test_a_folder_without_a_recording_says_what_was_expected(tmp_path):
    assert not is_recording(tmp_path)
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(TelemetryError, match=r"expected traces\.jsonl\.gz"):
            Recording.load(folder, mask=str)


def test_a_recording_of_nothing_is_refused(tmp_path):
    with gzip.open(tmp_path / "traces.jsonl.gz", "wb") as file:
        file.write(b"{\n")
    with pytest.raises(TelemetryError, match=r"not one readable record\. traces\.jsonl\.gz:1: The body is not JSON"):
        Recording.load(tmp_path, mask=str)


def test_a_new_version_is_a_change(tmp_path):
    versions = [("1.4", 0), ("1.4", 10), ("1.5", 20)]
    write(
        tmp_path,
        traces=[
            requests.request("traces", [requests.span(at=NOON + s * SECOND)], **{"service.version": v})
            for v, s in versions
        ],
    )
    changed = ChangeRecord(NOON_AT + timedelta(seconds=20), "cart", "cart 1.4 → 1.5", "1.4", "1.5")
    recording = Recording.load(tmp_path, mask=str)
    assert recording.fetch_changes(MINUTE) == [changed]
    assert recording.fetch_changes(Window(NOON_AT, NOON_AT + timedelta(seconds=20))) == []


def test_text_is_masked_while_reading(tmp_path):
    write(tmp_path, logs=[requests.request("logs", [requests.line("password hunter2")])])
    [decoded] = read(tmp_path, mask=lambda text: text.replace("hunter2", "[masked]"))
    assert decoded.batch.logs[0].body == "password [masked]"


def test_a_request_that_is_no_json_is_not_recorded(tmp_path):
    with RecordingWriter(tmp_path) as writer:
        for request in (b"{", b"[]", b"\xff"):
            with pytest.raises(MalformedOtlp, match="request is"):
                writer.write("traces", request)
    assert not is_recording(tmp_path)


def test_equal_recordings_are_equal_files(tmp_path):
    first, second = (cart(tmp_path / name) for name in ("first", "second"))
    for name in ("traces", "logs", "metrics"):
        assert (first / f"{name}.jsonl.gz").read_bytes() == (second / f"{name}.jsonl.gz").read_bytes()
