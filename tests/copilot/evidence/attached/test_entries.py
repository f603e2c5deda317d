from datetime import UTC, datetime

from copilot.evidence.attached.entries import ERROR, INFO, WARN, Entry, entries_of
from copilot.evidence.attached.files import AttachedFile


def entries(*lines: str) -> list[Entry]:
    return entries_of(AttachedFile("a.log", lines))


def test_time_and_level_are_taken_off_the_text() -> None:
    (entry,) = entries("2026-03-01 10:00:00,250 - ERROR - pool exhausted")
    assert (entry.at, entry.severity) == (datetime(2026, 3, 1, 10, 0, 0, 250_000, tzinfo=UTC), ERROR)
    assert entry.text == "pool exhausted"


def test_a_zone_is_heeded_and_none_is_utc() -> None:
    east, none = entries("2026-03-01T10:00:00+02:00 a", "2026-03-01T10:00:00 b")
    assert east.at is not None
    assert none.at is not None
    assert (east.at.hour, none.at.hour) == (8, 10)


def test_json_lines_give_their_message_texts_and_numbers() -> None:
    (entry,) = entries(
        '{"ts": 1772359200, "level": "warn", "msg": "slow", "took_ms": 12, "error": "no route to host", "pod": "a-1"}'
    )
    assert (entry.at, entry.severity) == (datetime(2026, 3, 1, 10, tzinfo=UTC), WARN)
    assert entry.text == "slow; error: no route to host"
    assert entry.fields == {"took_ms": 12}


def test_a_traceback_belongs_to_its_line_and_its_cause_is_named() -> None:
    first, second = entries(
        "2026-03-01 10:00:00 ERROR cannot read",
        "Traceback (most recent call last):",
        '  File "app.py", line 3, in read',
        "KeyError: 'total'",
        "2026-03-01 10:00:01 INFO next",
    )
    assert (first.line, first.last, first.text) == (1, 4, "cannot read (KeyError: 'total')")
    assert (second.line, second.severity) == (5, INFO)


def test_lines_without_times_are_entries_of_their_own_but_a_traceback_is_one() -> None:
    found = entries("starting", "Traceback (most recent call last):", "  File x", "ValueError: bad port", "stopped")
    assert [(entry.line, entry.last) for entry in found] == [(1, 4), (5, 5)]


def test_klog_and_logfmt_levels_are_read() -> None:
    klog, logfmt = entries("E0301 10:00:00.000 kubelet.go:1] failed", "level=warning msg=slow")
    assert (klog.severity, logfmt.severity) == (ERROR, WARN)


def test_what_only_looks_like_a_time_is_none() -> None:
    (entry,) = entries("2026-13-45 99:99:99 odd")
    assert entry.at is None


def test_broken_json_is_a_line_of_text() -> None:
    (entry,) = entries('{"level": "error", "msg": ')
    assert entry.text == '{"level": "error", "msg":'
