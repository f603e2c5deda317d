from datetime import UTC, datetime, timedelta

import pytest

from copilot.evidence.bundle import Role
from copilot.evidence.logs import from_finding, template_pattern
from incidents.localization.suspects import Finding, Modality
from incidents.telemetry.datamodel import LogRecord, Window, to_ns

START = datetime(2026, 3, 14, 2, 44, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=5))


def finding(before: float, after: float) -> Finding:
    return Finding(
        "payments",
        Modality.LOGS,
        "new log template",
        before,
        after,
        "lines",
        5.0,
        template="QueuePool limit of size <NUM> reached",
    )


def line(second: int, body: str) -> LogRecord:
    return LogRecord(to_ns(START + timedelta(seconds=second)), "payments", 17, body, b"", 0, "{}")


LINES = [
    line(7, "charge accepted"),
    line(12, "QueuePool limit of size 20 reached, timeout 5"),
    line(13, "QueuePool limit of size 20 reached"),
]


def test_the_statement_holds_count_first_time_and_quotation() -> None:
    item = from_finding(finding(float("nan"), 4212), role=Role.CAUSE, lines=LINES, window=WINDOW, backend="store")
    assert item.statement == (
        "payments logged “QueuePool limit of size 20 reached, timeout 5” 4,212 times during the incident, "
        "first at 02:44:12, and never in the window before."
    )
    assert [shown["body"] for shown in item.detail["lines"]] == [LINES[1].body, LINES[2].body]


@pytest.mark.parametrize(
    ("before", "after", "said"), [(90, 0, "stopped logging"), (10, 400, "more than the 10 before")]
)
def test_vanished_and_changed_patterns_say_so(before: float, after: float, said: str) -> None:
    assert (
        said
        in from_finding(finding(before, after), role=Role.CAUSE, lines=[], window=WINDOW, backend="store").statement
    )


def test_a_template_finds_its_lines_whatever_its_placeholders_are_called() -> None:
    pattern = template_pattern("user <*> paid <:NUM:> (twice)")
    assert pattern.search("user anna paid 12 (twice)")
    assert not pattern.search("user anna paid 12 once")
