"""Each tool on a real store: what it finds, what it refuses, and that nothing but names of the incident gets through."""

import json
from typing import Any

import pytest

from copilot.answers.investigation import running, toolbox
from copilot.answers.investigation.ledger import DONE, NOTHING, Step
from copilot.answers.investigation.running import Bench
from copilot.answers.investigation.toolbox import CallRefused
from copilot.evidence.bundle import Kind
from copilot.llm.tool_calling import ToolCall
from tests.copilot.answers.investigation import telemetry


def look(bench: Bench, tool: str, **values: Any) -> Step:
    return running.look_up(toolbox.checked(tool, values, bench.scope), bench, turn=1)


def statement(bench: Bench, step: Step) -> str:
    item = bench.ledger.bundle.get(step.evidence[0])
    assert item is not None
    return item.statement


def test_a_metric_before_and_after(bench: Bench) -> None:
    step = look(bench, "query_metrics", service="payments", metric="db_pool_in_use")
    assert statement(bench, step) == (
        "payments db_pool_in_use from 02:28:50–02:56:00: its median rose from 3 connections to 10 connections at the incident's start "
        "at 02:43:50; highest 10 connections at 02:43:40, lowest 3 connections at 02:28:50."
    )
    assert len(step.lines) > 300
    assert step.lines[0] == "02:28:50 3 connections"


def test_windows_are_compared_and_the_rest_is_in_the_table(bench: Bench) -> None:
    step = look(bench, "compare_windows", service="payments", first_from=-15, first_to=-1, second_from=0, second_to=12)
    said = [item.statement for id_ in step.evidence if (item := bench.ledger.bundle.get(id_))]
    assert any("db_pool_in_use rose from 3 connections to 10 connections" in each for each in said)
    assert step.note.endswith("series were compared.")


def test_log_lines_are_counted_and_told_with_their_traces(bench: Bench) -> None:
    step = look(bench, "search_logs", service="payments", text="QUEUEPOOL limit", least_severity="error")
    assert statement(bench, step).startswith(
        "payments logged 148 lines with “QUEUEPOOL limit” of severity error or worse"
    )
    assert len(step.lines) == 148
    trace = step.lines[0].partition("trace=")[2]
    assert look(bench, "get_trace", service="payments", trace_id=trace).state == DONE


@pytest.mark.parametrize("text", ['"} or vector(1)', ".*", "%' OR 1=1 --"])
def test_a_query_in_the_words_is_only_words(bench: Bench, text: str) -> None:
    step = look(bench, "search_logs", text=text)
    wanted = [telemetry.HOSTILE] if text in telemetry.HOSTILE else []
    assert [line.split(" ", 3)[3] for line in step.lines] == wanted


def test_patterns_that_are_new_or_gone(bench: Bench) -> None:
    step = look(bench, "compare_log_patterns", service="payments")
    assert "QueuePool limit of size 10" in statement(bench, step)
    assert "146 times during the incident, more often than the 2 lines in the window before" in statement(bench, step)
    alike = look(bench, "search_logs", like=step.evidence[0], from_minute=0)
    assert len(alike.lines) == 146


def test_a_trace_is_picked_by_code(bench: Bench) -> None:
    step = look(bench, "get_trace", service="checkout", pick="failed")
    item = bench.ledger.bundle.get(step.evidence[0])
    assert item is not None
    assert item.kind is Kind.TRACE
    assert "took 3.02 s, 99 % of it in payments POST /charge; 2 of its 3 spans failed" in item.statement
    assert look(bench, "get_trace", service="database").state == NOTHING


def test_who_calls_whom_and_how_they_do(bench: Bench) -> None:
    step = look(bench, "show_topology", service="checkout")
    assert statement(bench, step) == "checkout is called by frontend and calls orders and payments."
    assert any(line.startswith("payments: ") and "p95 response time rose from" in line for line in step.lines)
    assert "db_pool_in_use" in look(bench, "show_topology", service="payments").note


def test_changes_that_are_not_there_are_said_to_be_unseen(bench: Bench) -> None:
    assert "changes that nobody reports cannot be seen" in look(bench, "list_changes").reason


def test_files_are_searched_and_read_by_line(bench: Bench) -> None:
    assert look(bench, "search_files", words="line 7 of").note.startswith("1 of 300 entries")
    step = look(bench, "read_file", file="pod.log", first_line=299)
    assert [line.split(" ")[0] for line in step.lines] == ["299", "300"]
    assert "only has" not in look(bench, "read_file", file="pod.log", first_line=301).reason


@pytest.mark.django_db
def test_what_nobody_has_written_is_said(bench: Bench) -> None:
    assert look(bench, "find_similar_incidents").state == NOTHING


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("query_metrics", '{"service": "payments", "metric": ', "not JSON"),
        ("query_metrics", "[]", "one JSON object"),
        ("query_metrics", "{}", "Field required"),
        ("query_metrics", "", "Field required"),
        ("run_shell", '{"command": "id"}', "There is no tool 'run_shell'"),
        ("query_metrics", '{"service": "payments", "metric": 7}', "valid string"),
        ("search_logs", '{"from_minute": "0"}', "valid integer"),
        ("search_logs", '{"from_minute": -1440, "to_minute": 10}', "longer than 24 hours"),
        ("search_logs", '{"from_minute": -525600}', "greater than or equal to -1440"),
        ("search_logs", '{"from_minute": 5, "to_minute": 5}', "the window is empty"),
        ("search_logs", '{"service": "payments", "url": "http://10.0.0.1/"}', "Extra inputs are not permitted"),
        ("search_logs", '{"host": "10.0.0.1:9090"}', "Extra inputs are not permitted"),
        ("search_logs", '{"service": "http://169.254.169.254/"}', "no service that this incident knows"),
        ("search_logs", '{"text": "http://canary.invalid/"}', "an address is not accepted"),
        ("search_runbooks", '{"words": "https://canary.invalid"}', "an address is not accepted"),
        ("query_metrics", '{"service": "payments", "metric": "up{job=~\\".*\\"}"}', "no metric of payments"),
        ("get_trace", '{"service": "payments", "trace_id": "00ff"}', "this trace is in no result"),
        ("read_file", '{"file": "/etc/passwd", "first_line": 1}', "no file that this incident knows"),
        ("read_more", '{"result": 1, "page": 2}', "no result 1"),
    ],
)
def test_what_is_not_exactly_a_call_is_refused(bench: Bench, name: str, arguments: str, why: str) -> None:
    with pytest.raises(CallRefused, match=why.replace("(", r"\(")):
        toolbox.read(ToolCall(name, arguments), bench.scope)


def test_definitions_name_what_may_be_named(bench: Bench) -> None:
    told = {tool["function"]["name"]: tool["function"]["parameters"] for tool in toolbox.definitions(bench.scope)}
    assert set(told) == set(toolbox.TOOLS)
    assert "payments" in told["query_metrics"]["properties"]["service"]["enum"]
    assert all(not each["additionalProperties"] for each in told.values())
    assert not {"url", "host", "query", "address"} & {name for each in told.values() for name in each["properties"]}
    assert len(json.dumps(told)) < 9_000


def test_personal_data_in_what_is_found_are_tokens(bench: Bench) -> None:
    step = look(bench, "search_logs", service="payments", text="bounced")
    assert "jane.roe" not in statement(bench, step) + " ".join(step.lines)
    assert "mail to [email] bounced" in step.lines[0]
