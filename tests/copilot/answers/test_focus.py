from dataclasses import replace

import pytest

from copilot.answers.claims import Verdict
from copilot.answers.focus import About, focus_on
from tests.copilot.answers.cast import BUNDLE

QUESTIONS = [
    ("", About.EXPLAIN),
    ("What is wrong?", About.WHAT),
    ("what's going on with checkout", About.WHAT),
    ("since when?", About.SINCE),
    ("When did it start to fail?", About.SINCE),
    ("Why is checkout slow?", About.WHY),
    ("what is the root cause", About.WHY),
    ("Is the database the cause?", About.IS_CAUSE),
    ("could this be because of orders?", About.IS_CAUSE),
    ("what changed?", About.CHANGED),
    ("was there a deploy?", About.CHANGED),
    ("What should we do now?", About.NOW),
    ("how do I fix this", About.NOW),
    ("should I roll back?", About.NOW),
    ("has this happened before?", About.BEFORE),
    ("any similar incidents?", About.BEFORE),
    ("who is affected?", About.AFFECTED),
    ("what did you rule out?", About.RULED_OUT),
    ("what could you not see?", About.UNSEEN),
    ("compare payments before and during", About.COMPARE),
    ("how does payments differ from usual?", About.COMPARE),
    ("show me the errors of payments", About.SHOW),
    ("show me what changed", About.CHANGED),
    ("is the card provider to blame?", About.IS_CAUSE),
    ("is this because of the network?", About.IS_CAUSE),
    ("how many connections does payments use?", About.OTHER),
]


@pytest.mark.parametrize(("question", "about"), QUESTIONS)
def test_a_question_is_recognised(question: str, about: About) -> None:
    assert focus_on(question, BUNDLE).about is about


@pytest.mark.parametrize("question", [question for question, _ in QUESTIONS])
def test_what_code_says_cites_what_exists(question: str) -> None:
    focus = focus_on(question, BUNDLE)
    for claim in focus.computed:
        assert claim.verdict is Verdict.SUPPORTED
        assert all(BUNDLE.get(id_) for id_ in claim.cites)
    assert all(BUNDLE.get(id_) for id_ in focus.relevant)
    assert len(focus.relevant) <= 6


@pytest.mark.parametrize(
    ("question", "says", "cites"),
    [
        ("Is the database the cause?", "No: database was ruled out", ("E7",)),
        (
            "Is it payments that causes it?",
            "Yes, probably: payments is the cause with a chance of 71 %",
            ("E3", "E4", "E5"),
        ),
        ("Could orders be to blame?", "Possibly: orders is the cause with a chance of 12 %", ("E6",)),
        ("Is frontend the culprit?", "Nothing points to frontend as the cause", ("E8",)),
    ],
)
def test_a_suspicion_is_answered_by_the_verdict(question: str, says: str, cites: tuple[str, ...]) -> None:
    claim = focus_on(question, BUNDLE).computed[0]
    assert claim.text.startswith(says)
    assert claim.cites == cites


def test_a_service_asked_about_brings_its_evidence() -> None:
    assert "E6" in focus_on("what about orders?", BUNDLE).relevant


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("what changed?", "No change was recorded in the hour before the incident."),
        ("has this happened before?", "No similar past incident is on record."),
        ("what should we do now?", "No runbook fits these signals."),
        ("what did you rule out?", "No service was ruled out."),
    ],
)
def test_an_absence_is_said(question: str, says: str) -> None:
    empty = replace(BUNDLE, items=(), hypotheses=(), next_check="", gaps=())
    assert focus_on(question, empty).computed[0].text == says


def test_what_sent_no_telemetry_is_neither_blamed_nor_ruled_out() -> None:
    first, *others = focus_on("Is the card provider the cause?", BUNDLE).computed
    assert first.text.startswith("That cannot be told: “card provider” sent no telemetry of its own")
    assert "payments" in others[-1].text


def test_what_to_do_begins_with_the_change_of_the_suspect_and_gives_the_runbooks_steps_by_its_name() -> None:
    undo, step, *others = focus_on("What now?", BUNDLE).computed
    assert undo.text.startswith("Consider undoing this first: payments changed from version 1.8.0 to 1.9.0")
    assert step.text.startswith("Step 1 of the runbook “")
    assert BUNDLE.next_check in [claim.text for claim in others]


def test_a_comparison_gives_both_figures_of_the_services_named() -> None:
    said = focus_on("Compare payments before and during", BUNDLE).computed
    assert [claim.cites for claim in said] == [("E3",), ("E4",), ("E5",)]
    assert (
        focus_on("Compare frontend before and during", replace(BUNDLE, items=BUNDLE.items[:3]))
        .computed[0]
        .text.startswith("No evidence item compares")
    )


def test_what_is_to_be_shown_is_of_the_kind_and_the_service_asked_for() -> None:
    assert [claim.cites for claim in focus_on("Show me the log lines of payments", BUNDLE).computed] == [("E3",)]
    assert [claim.cites for claim in focus_on("Show me a trace", BUNDLE).computed] == [("E5",)]
    assert focus_on("Show me the logs of orders", BUNDLE).computed[0].text == "Nothing of that kind is in the evidence."
