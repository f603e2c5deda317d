"""What code looks up for a question without a model that could: by the kind of the question, in the real store."""

from dataclasses import replace
from typing import Any

import pytest

from copilot.answers.asking import Silent
from copilot.answers.composition import State
from copilot.answers.focus import About, about_of
from copilot.answers.investigation import loop
from copilot.answers.investigation.found import Sources
from copilot.answers.investigation.ledger import MemoryLedger
from copilot.answers.investigation.loop import Desk
from copilot.llm.scripted import ScriptedModel
from copilot.privacy.pseudonyms import Pseudonyms


def asked(sources: Sources, question: str, model: Any = None) -> tuple[list[str], list[str]]:
    """Return the tools that were used and the sentences of the answer."""
    sources = replace(sources, files=())
    ledger = MemoryLedger(sources.bundle, Pseudonyms())
    desk = Desk(question, sources, ledger, mask=str)
    answer, bundle = loop.investigate(desk, model=model, listener=Silent())
    assert answer.state is State.DONE
    assert all(bundle.get(cite) for claim in answer.claims for cite in claim.cites)
    return [step.tool for step in ledger.steps if step.state == "done"], [claim.text for claim in answer.claims]


@pytest.mark.parametrize(
    ("question", "about"),
    [
        ("What is wrong?", About.WHAT),
        ("Since when?", About.SINCE),
        ("Why?", About.WHY),
        ("Is the database the cause?", About.IS_CAUSE),
        ("Who changed what?", About.CHANGED),
        ("What now?", About.NOW),
        ("Compare payments with orders", About.COMPARE),
        ("Is payments slower than usual?", About.COMPARE),
        ("Has this happened before?", About.BEFORE),
        ("Show me the logs of payments", About.SHOW),
        ("How full is the pool of payments?", About.OTHER),
    ],
)
def test_kinds_of_questions(question: str, about: About) -> None:
    assert about_of(question, ["database"] if "database" in question else []) is about


@pytest.mark.parametrize(
    ("question", "tools", "said"),
    [
        ("Show me db_pool_in_use of payments", ["query_metrics"], "its median rose from 3 connections to 10 connections"),
        ("How many connections does payments use?", ["query_metrics"], "highest 10 connections at 02:43:40"),
        ("Show me the error logs of payments", ["search_logs"], "payments logged 148 lines of severity error or worse"),
        ('Show lines with "pool limit" of payments', ["search_logs"], "payments logged 148 lines with “pool limit”"),
        ("Show the slowest trace of checkout", ["get_trace"], "The slowest request through checkout"),
        ("Show me the callers of payments", ["show_topology"], "payments is called by checkout"),
        ("Compare payments before and after", ["compare_windows"], "(medians, from 02:28:50–02:43:50 to 02:43:50–02:55:50)"),
        ("Compare the response time of payments and checkout", ["query_metrics"] * 2, "checkout p95 response time from"),
        ("Show me the response time", ["query_metrics"], "payments p95 response time from"),
    ],
)  # fmt: skip
def test_code_looks_up_what_is_asked_to_be_seen(sources: Sources, question: str, tools: list[str], said: str) -> None:
    used, sentences = asked(sources, question)
    assert used == tools
    assert any(said in sentence for sentence in sentences), sentences


@pytest.mark.parametrize(
    "question", ["Why?", "What changed?", "Is the database the cause?", "What now?", "Since when?"]
)
def test_what_the_pinned_evidence_answers_looks_nothing_up(sources: Sources, question: str) -> None:
    assert asked(sources, question)[0] == []


def test_a_service_that_no_evidence_is_about_is_looked_at(sources: Sources) -> None:
    bundle = replace(sources.bundle, items=tuple(item for item in sources.bundle.items if item.service != "frontend"))
    used, sentences = asked(replace(sources, bundle=bundle), "Is frontend the cause?")
    assert used == ["compare_windows"]
    assert any(sentence.startswith("frontend ") for sentence in sentences)


def test_a_small_model_narrates_what_code_looked_up(sources: Sources) -> None:
    model = ScriptedModel(
        [['{"claims": [{"text": "The pool of payments reached 10 connections.", "cites": ["E13"]}]}']]
    )
    _, sentences = asked(sources, "Show me db_pool_in_use of payments", model)
    assert sentences[0].startswith("payments db_pool_in_use from")
    assert "E13" in str(model.prompts[0].schema)
    assert "E13" in model.prompts[0].user
    assert "E13" not in model.prompts[0].system, "what stays cached does not change with a question"
