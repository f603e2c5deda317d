from dataclasses import replace
from datetime import UTC, datetime, timedelta

from copilot.evidence.bundle import Role
from copilot.evidence.findings import said
from copilot.evidence.logs import from_finding, template_pattern
from incidents.localization.suspects import Finding, Modality
from incidents.telemetry.datamodel import LogRecord, Window, to_ns

START = datetime(2026, 3, 14, 2, 44, tzinfo=UTC)
WINDOW = Window(START - timedelta(minutes=15), START + timedelta(minutes=5))
FINDING = Finding(
    "payments",
    Modality.LOGS,
    "new log template",
    float("nan"),
    1,
    "lines",
    5.0,
    template="QueuePool limit of size <NUM> reached",
)


def line(second: int, body: str) -> LogRecord:
    return LogRecord(to_ns(START + timedelta(seconds=second)), "payments", 17, body, b"", 0, "{}")


FULL = "QueuePool limit of size 20 reached"


def statement(*lines: LogRecord, finding: Finding = FINDING) -> str:
    return from_finding(finding, role=Role.CAUSE, lines=lines, since=START, window=WINDOW, backend="store").statement


def test_the_statement_holds_count_first_time_and_quotation() -> None:
    item = from_finding(
        FINDING,
        role=Role.CAUSE,
        lines=[line(7, "charge accepted"), line(12, FULL + ", timeout 5"), line(13, FULL)],
        since=START,
        window=WINDOW,
        backend="store",
    )
    assert item.statement == (
        "payments logged “QueuePool limit of size 20 reached, timeout 5” 2 times during the incident, "
        "first at 02:44:12, and never in the window before."
    )
    assert [shown["body"] for shown in item.detail["lines"]] == [FULL + ", timeout 5", FULL]
    assert item.statistic["after"] == {"value": 2, "unit": "lines"}


def test_vanished_and_changed_patterns_say_so() -> None:
    assert "stopped logging" in statement(line(-60, FULL), line(-50, FULL))
    assert (
        "3 times during the incident, more often than the 1 line in the window before (0.6 a minute, 0.0667 before)"
        in statement(line(-60, FULL), line(1, FULL), line(2, FULL), line(3, FULL))
    )
    assert "once during the incident" in statement(line(3, FULL))


def test_rates_are_compared_not_counts_of_windows_of_different_lengths() -> None:
    """15 minutes before, 5 minutes during: as many lines are three times the rate."""
    before, during = [line(-60 - n, FULL) for n in range(30)], [line(n, FULL) for n in range(30)]
    assert "more often than the 30 lines in the window before (6 a minute, 2 before)" in statement(*before, *during)
    assert "less often than the 30 lines in the window before (1 a minute, 2 before)" in statement(*before, *during[:5])


def test_a_line_that_is_left_out_is_never_said_to_be_written() -> None:
    left_out = replace(FINDING, unit="1", before=0.0, after=0.5, operation="POST /charges", is_left_out=True)
    told = said(left_out)
    assert told == "50 % of POST /charges do not log “QueuePool limit of size … reached”, none did before"
    assert "50 % of POST /charges do not log it" in statement(line(-60, FULL), line(3, FULL), finding=left_out)
    vanished = replace(FINDING, before=2.0, after=0.0, is_left_out=True)
    assert said(vanished) == "it no longer logs “QueuePool limit of size … reached”"


def test_a_share_of_requests_is_said_as_such() -> None:
    share = replace(FINDING, unit="1", before=0.004, after=1.0, operation="POST /charges")
    assert statement(line(3, FULL), finding=share).endswith("; 100 % of POST /charges log it.")


def test_a_template_finds_its_lines_whatever_its_placeholders_are_called() -> None:
    pattern = template_pattern("user <*> paid <:NUM:> (twice)")
    assert pattern.search("user anna paid 12 (twice)")
    assert not pattern.search("user anna paid 12 once")
