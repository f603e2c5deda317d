"""The loop against a provider that speaks the real streaming protocols: what is run, what never is, and how each investigation ends."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from copilot import celery
from copilot.answers import questions, rerun, steering
from copilot.answers.investigation import running, toolbox
from copilot.evidence import bundle as bundles
from copilot.llm.prompts import estimate_tokens
from copilot.models import InvestigationStep, LanguageModel, Message, ModelCall, StreamEvent
from incidents.models import Incident, Investigation
from tests.copilot.llm.fake_provider import (
    FakeProvider,
    Script,
    calls_tools,
    calls_tools_as_anthropic,
    provider,
    speaks,
    speaks_anthropic,
)

POOL = ("query_metrics", {"service": "payments", "metric": "db_pool_in_use"})
LINES = ("search_logs", {"service": "payments", "text": "QueuePool"})
Tools = list[tuple[str, Any]]


def claims(*found: tuple[str, str]) -> str:
    return json.dumps({"claims": [{"text": text, "cites": [cite]} for text, cite in found]})


FULL = speaks(claims(("The highest db_pool_in_use of payments was 10 connections.", "E13")))


@contextmanager
def asked(
    incident: Incident, settings: Settings, *scripts: Script, text: str = "How full is the pool?"
) -> Iterator[tuple[Message, FakeProvider]]:
    """A question on the incident, and a provider that answers each turn with a script."""
    with provider(*scripts, lists_models=True) as fake:
        settings.COPILOT_LLM, settings.COPILOT_LLM_MODEL, settings.COPILOT_LLM_COMPARE = fake.url, "fake", ""
        LanguageModel.objects.update_or_create(
            name=f"fake at {fake.url[7:-3]}", defaults={"tool_calling": True, "probed_at": timezone.now()}
        )
        question = questions.ask(incident.pk, text=text, user=None, now=timezone.now())
        yield question.answer, fake


def write(message: Message) -> Message:
    model = questions.model_for(message.pk, clock=timezone.now)
    assert model is not None
    assert model.can_call_tools
    questions.answer(message.pk, chat_model=model, now=timezone.now())
    message.refresh_from_db()
    return message


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Every call that is really run."""
    ran: Tools = []
    really = toolbox.run

    def run(call: toolbox.Call, *rest: Any) -> Any:
        ran.append((call.tool, call.values))
        return really(call, *rest)

    monkeypatch.setattr(toolbox, "run", run)
    return ran


def test_two_calls_of_one_turn_and_a_checked_answer(
    incident: Incident, settings: Settings, spy: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Evidence is numbered as calls end; the answer below has to know the numbers.
    monkeypatch.setattr(running, "AT_ONCE", 1)
    wrong = ("payments logged 912 lines with QueuePool.", "E14")
    right = ("The highest db_pool_in_use of payments was 10 connections.", "E13")
    with asked(
        incident,
        settings,
        calls_tools(POOL, LINES, said="I look whether the pool is full."),
        speaks(claims(right, wrong)),
    ) as (message, fake):
        write(message)
    assert {tool for tool, _ in spy} == {"query_metrics", "search_logs"}
    steps = list(message.steps.all())
    assert [(step.turn, step.state) for step in steps] == [(1, "done"), (1, "done")]
    assert steps[0].plan == "I look whether the pool is full."
    assert steps[0].evidence == ["E13"]
    assert steps[0].call is not None
    assert steps[0].call.prompt_tokens == 1500
    by_model = message.claims.filter(by_model=True)
    assert [(claim.text, claim.verdict) for claim in by_model] == [(right[0], "supported"), (wrong[0], "unverified")]
    assert message.state == "done"
    assert message.pinned is not None
    assert message.pinned.bundle["looked_up"] == ["E13", "E14"]
    kept = bundles.from_json(Investigation.objects.get(incident=incident).evidence)
    assert [item.id for item in kept.earlier] == ["E13", "E14"], "a citation opens as long as the incident is there"
    told = fake.requests[1]["messages"]
    assert [each["role"] for each in told] == ["system", "user", "assistant", "tool", "tool"]
    assert "Lines 1–40 of 148" in told[4]["content"]
    assert {call.purpose for call in ModelCall.objects.all()} == {"investigation"}
    kinds = list(StreamEvent.objects.filter(incident=incident).order_by("number").values_list("kind", flat=True))
    assert kinds.count("answer.step") == 4
    assert kinds.index("answer.investigates") < kinds.index("answer.step") < kinds.index("answer.claim")


def test_the_same_over_anthropics_protocol(
    incident: Incident, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = (
        calls_tools_as_anthropic(POOL, ("find_similar_incidents", {}), said="Is the pool full?"),
        speaks_anthropic(claims(("The highest db_pool_in_use of payments was 10 connections.", "E13"))),
    )
    with provider(*scripts) as fake:
        settings.COPILOT_LLM, settings.ANTHROPIC_API_KEY = "anthropic:claude-haiku-4-5", "key"
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url.removesuffix("/v1"))
        message = questions.ask(incident.pk, text="How full is the pool?", user=None, now=timezone.now()).answer
        write(message)
    assert [(step.tool, step.state) for step in message.steps.all()] == [
        ("query_metrics", "done"),
        ("find_similar_incidents", "nothing"),
    ]
    assert message.state == "done"
    assert [part["type"] for part in fake.requests[1]["messages"][2]["content"]] == ["tool_result", "tool_result"]


@pytest.mark.parametrize(
    "call",
    [
        ("query_metrics", '{"service": "payments"'),
        ("run_shell", {"command": "id"}),
        ("query_metrics", {"service": 7, "metric": "db_pool_in_use"}),
        ("query_metrics", {**POOL[1], "url": "http://canary.invalid/"}),
        ("query_metrics", "{}"),
    ],
    ids=["no JSON", "unknown tool", "wrong type", "an argument more, an address", "nothing"],
)
def test_a_malformed_call_is_told_why_twice_and_never_run(
    incident: Incident, settings: Settings, spy: Tools, call: tuple[str, object]
) -> None:
    with asked(incident, settings, *([calls_tools(call)] * 3), speaks(claims())) as (message, fake):
        write(message)
    assert spy == []
    assert [step.state for step in message.steps.all()] == ["refused"] * 3
    assert len(fake.requests) == 4
    assert fake.requests[3].get("tool_choice") == "none", "after the third it must answer"
    assert all(step.reason for step in message.steps.all())
    assert "://" not in "".join(step.reason + step.tool for step in message.steps.all())
    assert "Refused: " in fake.requests[1]["messages"][3]["content"]
    assert "canary" not in json.dumps(fake.requests[1]["messages"][2])
    assert (message.state, message.claims.count() > 0) == ("partial", True)
    assert "could not be read in 3 turns" in message.failure


def test_a_stream_cut_in_a_call_runs_nothing_of_it_and_is_tried_once_more(
    incident: Incident, settings: Settings, spy: Tools
) -> None:
    with asked(incident, settings, calls_tools(LINES, POOL, finish=None), calls_tools(POOL), FULL) as (message, fake):
        write(message)
    assert [tool for tool, _ in spy] == ["query_metrics"]
    assert (message.state, len(fake.requests)) == ("done", 3)
    with asked(incident, settings, calls_tools(LINES, finish=None)) as (message, fake):
        write(message)
    assert (len(spy), len(fake.requests), message.state) == (1, 2, "waiting"), "a later try may find the provider whole"
    with asked(incident, settings, calls_tools(LINES, finish="length"), FULL) as (message, fake):
        write(message)
    assert len(spy) == 1, "a reply that was cut at its length may hold half a call"


def test_a_model_in_circles_is_ended_whatever_it_changes_a_little(
    incident: Incident, settings: Settings, spy: Tools
) -> None:
    variants = [
        calls_tools(("search_logs", {"service": "payments", "text": words, "from_minute": start}))
        for words, start in (
            ("QueuePool", -15),
            ("queuepool", -15),
            ("QueuePool ", -14),
            ("QUEUEPOOL", -13),
            ("QueuePool", -12),
        )
    ]
    with asked(incident, settings, *variants, speaks("I go on.")) as (message, fake):
        write(message)
    assert len(spy) == 1
    assert [step.state for step in message.steps.all()] == ["done", *["refused"] * 4]
    assert (message.state, len(fake.requests)) == ("partial", 6)
    assert message.claims.filter(text__startswith="payments logged 148 lines").exists(), "the best partial answer"


def test_an_endless_model_takes_25_steps_and_its_memory_is_the_ledger(
    incident: Incident, settings: Settings, spy: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot.answers.investigation.conversation.MOST_TOKENS", 2500)  # a few results fill it
    every = [
        calls_tools(("search_logs", {"service": "payments", "from_minute": -n, "to_minute": -n + 3}))
        for n in range(20, -5, -3)
    ]
    again = calls_tools(("search_logs", {"service": "payments", "from_minute": -20, "to_minute": -17}))
    with asked(incident, settings, *every, again) as (message, fake):
        write(message)
    states = [step.state for step in message.steps.all()]
    assert "asked again and again" in message.failure
    assert states == [*["done"] * len(every), *["refused"] * 4], "what was compacted away is still known"
    told = fake.requests[len(every)]["messages"]
    assert "Looked up already" in told[1]["content"]
    assert "1. search_logs" in told[1]["content"]
    assert len(told) < 2 + 2 * len(every)
    different = [
        calls_tools(*(("search_logs", {"service": "payments", "text": f"word{n}{m}"}) for m in "abcd"))
        for n in range(9)
    ]
    with asked(incident, settings, *different) as (message, fake):
        write(message)
    assert message.steps.count() == 25
    assert "25 steps were taken" in message.failure
    assert (message.state, len(fake.requests)) == ("partial", 8)


def test_large_results_are_paged_and_fifty_of_them_still_fit(
    incident: Incident, settings: Settings, spy: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    from copilot.answers.investigation.found import Found

    rows = tuple(f"{number} {'x' * 990}" for number in range(5_000))  # 5 MB
    really = toolbox.run
    monkeypatch.setattr(toolbox, "run", lambda *all_: Found(really(*all_).items, rows))
    turns = [
        calls_tools(*(("search_logs", {"service": "payments", "text": f"word{turn}{one}"}) for one in "abcdefgh"))
        for turn in range(3)
    ]
    more = calls_tools(("read_more", {"result": 1, "page": 2}))
    with asked(incident, settings, more, turns[0], more, *turns[1:], FULL) as (message, fake):
        write(message)
    first = fake.requests[2]["messages"]
    assert "Lines 1–40 of 402; next page: read_more(result=2, page=2)" in json.dumps(first, ensure_ascii=False)
    assert "The first 402 of 5,000 lines are kept" in first[-1]["content"]
    assert max(estimate_tokens(json.dumps(request["messages"])) for request in fake.requests) < 30_000
    assert message.steps.exclude(state="refused").count() > 20


def test_a_page_is_read_on(incident: Incident, settings: Settings) -> None:
    more = calls_tools(("read_more", {"result": 1, "page": 2}))
    with asked(incident, settings, calls_tools(LINES), more, more, FULL) as (message, fake):
        write(message)
    assert "Lines 41–80 of 148; next page: read_more(result=1, page=3)" in fake.requests[2]["messages"][-1]["content"]
    assert [step.state for step in message.steps.all()] == ["done", "done", "refused"]


def test_a_word_steers_the_next_turn_and_a_stop_keeps_what_is_there(incident: Incident, settings: Settings) -> None:
    mira = User.objects.create_user("mira")

    def steered(peer: socket.socket) -> None:
        steering.steer(message.pk, text="Look at the database instead.", user=mira, now=timezone.now())
        calls_tools(POOL)(peer)

    def stopped(peer: socket.socket) -> None:
        steering.stop(message.pk, user=mira, now=timezone.now())
        threading.Event().wait(10)  # the reader hangs up long before

    with asked(incident, settings, steered, stopped) as (message, fake):
        write(message)
    assert fake.requests[1]["messages"][-1] == {
        "role": "user",
        "content": "The engineer says: Look at the database instead.",
    }
    assert message.state == "partial"
    assert message.failure.startswith("Cut short: Stopped by mira.")
    assert message.claims.get(position=message.claims.count() - 1).text.startswith("payments db_pool_in_use from")
    assert StreamEvent.objects.filter(incident=incident, kind="answer.steered").count() == 2
    with pytest.raises(steering.SteeringRefused, match="not being written"):
        steering.stop(message.pk, user=mira, now=timezone.now())


def test_another_worker_goes_on_where_one_died(incident: Incident, settings: Settings, spy: Tools) -> None:
    with asked(incident, settings, calls_tools(POOL), FULL) as (message, fake):
        InvestigationStep.objects.create(
            message=message, number=1, turn=1, tool="search_logs", state="running", started_at=timezone.now(),
            arguments={"from_minute": -15, "to_minute": None, "service": "payments", "text": "QueuePool", "like": None, "least_severity": "any"},
        )  # fmt: skip
        write(message)
    assert [(step.number, step.state) for step in message.steps.all()] == [(1, "failed"), (2, "done")]
    assert "Its worker died." in fake.requests[0]["messages"][1]["content"]
    assert message.state == "done"


def test_a_dead_workers_investigation_is_noticed_within_two_minutes(incident: Incident, settings: Settings) -> None:
    def looked_at(peer: socket.socket) -> None:
        held = Message.objects.get(pk=message.pk).claimed_until
        assert held is not None
        left.append(held - timezone.now())
        FULL(peer)

    left: list[timedelta] = []
    with asked(incident, settings, looked_at) as (message, _):
        write(message)
    assert timedelta(0) < left[0]
    assert left[0] + celery.app.conf.beat_schedule["reclaim-expired"]["schedule"] < timedelta(minutes=2)


def test_money_and_tokens_end_it_with_what_there_is(incident: Incident, settings: Settings) -> None:
    settings.INVESTIGATION_TOKENS_PER_INCIDENT = 29_000
    with asked(incident, settings, calls_tools(POOL), FULL) as (message, fake):
        write(message)
    assert len(fake.requests) == 1
    assert (message.state, message.claims.filter(by_model=True).count()) == ("partial", 0)
    assert "COPILOT_INVESTIGATION_TOKENS_PER_INCIDENT" in message.failure
    settings.INVESTIGATION_TOKENS_PER_INCIDENT = 500_000
    settings.LLM_USD_PER_INCIDENT = 0.01
    with asked(incident, settings, calls_tools(POOL), FULL) as (message, fake):
        write(message)
    assert fake.requests == []
    assert "COPILOT_LLM_USD_PER_INCIDENT" in message.failure


def test_time_ends_it(incident: Incident, settings: Settings) -> None:
    settings.INVESTIGATION_SECONDS = 1
    with asked(incident, settings, calls_tools(POOL), lambda peer: threading.Event().wait(10) and None) as (message, _):
        write(message)
    assert message.state == "partial"
    assert "The time for one question (1 s) is used up." in message.failure


def test_words_instead_of_json_are_asked_for_once_more(incident: Incident, settings: Settings) -> None:
    with asked(incident, settings, calls_tools(POOL), speaks("The pool is full."), FULL) as (message, fake):
        write(message)
    assert message.state == "done"
    assert fake.requests[2]["messages"][-1]["content"].startswith("Reply with the JSON")


def test_the_default_prompt_stays_below_2000_tokens(incident: Incident, settings: Settings) -> None:
    with asked(incident, settings, FULL) as (message, fake):
        write(message)
    assert estimate_tokens("".join(each["content"] for each in fake.requests[0]["messages"])) < 1_500
    assert estimate_tokens(json.dumps(fake.requests[0]["tools"])) < 3_000


def test_a_question_from_a_shell_is_investigated_and_nothing_is_kept(incident: Incident, settings: Settings) -> None:
    out = StringIO()
    with asked(incident, settings, calls_tools(POOL), FULL) as (message, _):
        call_command("ask", "How full is the pool?", "--incident", str(incident.pk), "--json", stdout=out)
    said = json.loads(out.getvalue())
    assert said["looked_at"] == [
        {
            "what": "Metric: payments db_pool_in_use, from 15 min before the incident to its end",
            "state": "done",
            "evidence": ["E13"],
        }
    ]
    assert said["claims"][-1]["verdict"] == "supported"
    assert 'db_pool_in_use{service="payments"}' in said["claims"][-1]["citations"][0]["where"]
    assert message.steps.count() == 0
    out = StringIO()
    call_command("ask", "Show me db_pool_in_use of payments", "--incident", str(incident.pk), "--no-llm", stdout=out)
    assert (
        "Looked at:\n  Metric: payments db_pool_in_use, from 15 min before the incident to its end [E13]"
        in out.getvalue()
    )


def test_another_model_investigates_again_and_meets_the_same_results(
    incident: Incident, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asked(incident, settings, calls_tools(POOL, LINES), FULL) as (message, _):
        write(message)
    before = message.claims.filter(by_model=True).values_list("text", flat=True)[0]

    def nobody(*_: object) -> None:
        raise AssertionError("only what is kept may answer")

    monkeypatch.setattr("copilot.answers.investigation.metric_tools.query_metrics", nobody)
    monkeypatch.setattr("incidents.telemetry.store.HotStore.fetch_logs", nobody)
    other = ("search_logs", {"service": "checkout"})
    with provider(calls_tools(POOL, other), FULL, lists_models=True) as fake:
        settings.COPILOT_LLM = fake.url
        LanguageModel.objects.create(name=f"fake at {fake.url[7:-3]}", tool_calling=True, probed_at=timezone.now())
        again = rerun.request(message.pk, model=fake.url, prompt_version="1", user=None, now=timezone.now())
        assert rerun.run(again.pk, clock=timezone.now)
    again.refresh_from_db()
    assert (again.state, again.failure, len(again.calls)) == ("done", "", 2)
    assert (again.claims[-1]["text"], again.claims[-1]["verdict"]) == (before, "supported")
    told = [each["content"] for each in fake.requests[1]["messages"] if each["role"] == "tool"]
    assert "[E13] payments db_pool_in_use from 02:28:50" in told[0]
    assert "Lines 1–40 of" in told[0]
    assert "only what was is answered now" in told[1]
    assert message.steps.count() == 2
