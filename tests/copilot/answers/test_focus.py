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
        ("Is it payments that causes it?", "Yes, probably: payments has 0.71", ("E3", "E4", "E5")),
        ("Could orders be to blame?", "Possibly: orders has 0.12", ("E6",)),
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
