import json
from datetime import timedelta

import pytest

from copilot.answers.claims import CheckedClaim, Verdict
from copilot.answers.composition import Answer, State, compose
from copilot.llm.failures import ModelBusy, ModelRefused, ModelTimedOut, ModelUnreachable, StreamCut
from copilot.llm.scripted import ScriptedModel
from incidents.intake.masking import mask
from tests.copilot.answers.cast import BUNDLE

FULL = ("payments logged the QueuePool limit line 412 times.", "E3")
SLOW = ("checkout p95 response time rose to 3.1 s at 02:47:10.", "E1")
WRONG = ("The incident was caused by the database.", "E7")


class Recorder:
    """A listener that keeps what it was told."""

    def __init__(self) -> None:
        self.sentences: list[tuple[int, str]] = []
        self.claims: dict[int, CheckedClaim] = {}

    def sentence(self, position: int, text: str, cites: tuple[str, ...]) -> None:
        self.sentences.append((position, text))

    def claim(self, position: int, claim: CheckedClaim) -> None:
        self.claims[position] = claim


def reply(*claims: tuple[str, str]) -> str:
    return json.dumps({"claims": [{"text": text, "cites": cites.split()} for text, cites in claims]})


def ask(
    model: ScriptedModel | None, question: str = "How many connections?", recorder: Recorder | None = None
) -> Answer:
    return compose(
        question=question, bundle=BUNDLE, history=[], chat_model=model, listener=recorder or Recorder(), mask=mask
    )


def test_sentences_stream_and_each_is_checked() -> None:
    model, recorder = ScriptedModel([list(reply(FULL, SLOW, WRONG))]), Recorder()
    found = ask(model, recorder=recorder)
    assert [claim.verdict for claim in found.claims] == [Verdict.SUPPORTED, Verdict.SUPPORTED, Verdict.STRUCK]
    assert found.state is State.DONE
    assert list(recorder.claims.values()) == list(found.claims)
    grown = [text for position, text in recorder.sentences if position == 0]
    assert grown == sorted(grown, key=len)
    assert "payments logged the Queue" in grown
    assert len(found.calls) == 1


def test_what_code_knows_stands_first_and_is_not_repeated() -> None:
    model = ScriptedModel([[reply(("No: database was ruled out; its CPU stayed at 14 %", "E7"), FULL)]])
    found = ask(model, "Is the database the cause?")
    assert [claim.text[:28] for claim in found.claims] == [
        "No: database was ruled out; ",
        "Probably payments (a chance ",
        FULL[0][:28],
    ]


@pytest.mark.parametrize(
    "question",
    ["", "since when?", "Is the database the cause?", "what now?", "has this happened before?", "what changed?"],
)
def test_without_a_model_code_answers(question: str) -> None:
    found = ask(None, question)
    assert found.state is State.DONE
    assert found.claims
    assert not found.failure
    assert not found.calls


def test_without_a_model_an_open_question_gets_the_nearest_evidence() -> None:
    assert "E4" in {id_ for claim in ask(None).claims for id_ in claim.cites}
    assert ask(None, "zzzz qqqq?").claims[0].text == "No evidence item answers this question."


def test_an_unreadable_reply_is_refused_once_and_asked_again() -> None:
    model = ScriptedModel([["I think the pool is full."], [reply(FULL)]])
    found = ask(model)
    assert (found.state, [claim.text for claim in found.claims]) == (State.DONE, [FULL[0]])
    assert len(model.prompts) == len(found.calls) == 2


def test_a_reply_that_stays_unreadable_is_no_answer() -> None:
    model = ScriptedModel([["nonsense"], ['{"claims": "E1"}']])
    found = ask(model)
    assert found.state is State.FAILED
    assert "refused" in found.failure
    assert not found.claims


def test_a_cut_keeps_finished_sentences_and_is_tried_once_more() -> None:
    cut = StreamCut("The connection ended in the middle of the reply.")
    model, recorder = ScriptedModel([[reply(FULL, SLOW)[:-30], cut], ["", StreamCut("again")]]), Recorder()
    found = ask(model, recorder=recorder)
    assert found.state is State.PARTIAL
    assert [claim.text for claim in found.claims] == [FULL[0]]
    assert [claim.text for claim in recorder.claims.values()] == [FULL[0]]
    assert len(model.prompts) == 2


def test_a_second_whole_reply_replaces_the_cut_one() -> None:
    model = ScriptedModel([[reply(FULL, SLOW)[:-30], StreamCut("cut")], [reply(SLOW, FULL)]])
    found = ask(model)
    assert (found.state, [claim.text for claim in found.claims]) == (State.DONE, [SLOW[0], FULL[0]])


def test_a_time_out_keeps_what_is_finished_and_is_not_tried_again() -> None:
    model = ScriptedModel([[reply(FULL, SLOW)[:-30], ModelTimedOut("too slow")]])
    found = ask(model)
    assert (found.state, found.failure, len(found.claims)) == (State.PARTIAL, "too slow", 1)


def test_a_reply_at_its_limit_is_partial() -> None:
    model = ScriptedModel([[reply(FULL, SLOW)[:-30]]], finish="length")
    assert ask(model).state is State.PARTIAL


@pytest.mark.parametrize(
    ("failure", "temporary"),
    [
        (ModelUnreachable("refused"), True),
        (ModelBusy("busy", retry_after=timedelta(seconds=7)), True),
        (ModelRefused("key"), False),
    ],
)
def test_a_failure_says_whether_trying_again_helps_and_leaves_what_code_said(
    failure: Exception, temporary: bool
) -> None:
    found = ask(ScriptedModel([[failure]]), "since when?")  # type: ignore[list-item]
    assert (found.state, found.failure, found.temporary) == (State.FAILED, str(failure), temporary)
    assert found.claims[0].text.startswith("It began at 02:43:50")
    assert found.retry_after == getattr(failure, "retry_after", None)


@pytest.mark.parametrize("text", ["", "   ", reply()])
def test_an_empty_reply_is_no_answer(text: str) -> None:
    found = ask(ScriptedModel([[text]]))
    assert found.failure == "The model gave no answer."
    assert not found.claims


def test_a_refusal_is_no_answer() -> None:
    found = ask(ScriptedModel([["I cannot help with that."]], finish="refused"))
    assert (found.state, found.failure) == (State.FAILED, "The model gave no answer.")


def test_output_is_plain_text_without_hidden_characters() -> None:
    text = "<script>x</script> ![i](http://c/?q=1) \x1b[31mpayments\x1b[0m \u202ereversed\u202c \U000e0041 logged 412 times."
    claim = ask(ScriptedModel([[reply((text, "E3"))]])).claims[0]
    assert claim.text == "‹script›x‹/script› i payments reversed logged 412 times."


def test_a_flood_of_claims_is_bounded() -> None:
    many = [
        (f"checkout p95 response time rose to 3.1 s, says witness {word}.", "E1")
        for word in ["abc", "def", "ghi", "jkl", "mno", "pqr", "stu", "vwx", "yza", "bcd"]
    ]
    assert len(ask(ScriptedModel([[reply(*many)]])).claims) <= 6


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{SLOW[0]} {'It failed ' * 30}"[:240], SLOW[0]),
        ("checkout waits " * 16 + "for", "checkout waits " * 15 + "checkout waits …"),
        (f"{SLOW[0]} {SLOW[0]} {SLOW[0]} {SLOW[0]} {SLOW[0]}"[:240], SLOW[0]),
        (f"{'checkout waits ' * 16}and ends.", f"{'checkout waits ' * 16}and ends."),
        (f"{SLOW[0]} {'It failed ' * 30}"[:234], SLOW[0]),
    ],
)
def test_a_sentence_that_was_cut_at_the_longest_is_not_shown_as_whole(text: str, shown: str) -> None:
    assert ask(ScriptedModel([[reply((text, "E1"))]])).claims[0].text == shown


def test_a_word_alone_is_no_sentence() -> None:
    assert ask(ScriptedModel([[reply(("logged", "E3"), FULL)]])).claims[0].text == FULL[0]


def test_a_claim_in_another_language_or_without_evidence_is_unverified() -> None:
    found = ask(ScriptedModel([[reply(("Die Datenbank schläft heute besonders lange.", "E3"), ("All is lost.", ""))]]))
    assert [claim.verdict for claim in found.claims] == [Verdict.UNVERIFIED, Verdict.UNVERIFIED]


def test_a_secret_stops_the_call() -> None:
    model = ScriptedModel([[reply(FULL)]])
    found = compose(
        question="is AKIA" + "IOSFODNN7EXAMPLE the key?",
        bundle=BUNDLE,
        history=[],
        chat_model=model,
        listener=Recorder(),
        mask=str,
    )
    assert (found.state, model.prompts) == (State.FAILED, [])
    assert "nothing was sent" in found.failure
