import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from copilot.answers import answering, questions
from copilot.answers.questions import QuestionRefused
from copilot.evidence import bundle as bundles
from copilot.llm.failures import ModelBusy, ModelRefused, ModelTimedOut, ModelUnreachable
from copilot.llm.scripted import ScriptedModel
from copilot.models import Message, ModelCall, StreamEvent
from incidents.models import Incident, Investigation, OutboxMessage
from tests.copilot.answers.cast import BUNDLE, END, START
from tests.copilot.answers.test_composition import FULL, SLOW, WRONG, reply

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident() -> Incident:
    opened = Incident.objects.create(
        title="checkout is slow", severity=2, started_at=START, opened_at=START, last_anomaly_at=END
    )
    Investigation.objects.create(
        incident=opened, state=Investigation.State.READY, requested_at=START, evidence=bundles.to_json(BUNDLE)
    )
    return opened


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def told(incident: Incident) -> list[str]:
    return list(StreamEvent.objects.filter(incident=incident).order_by("number").values_list("kind", flat=True))


def last_event(incident: Incident) -> dict[str, object]:
    payload: dict[str, object] = StreamEvent.objects.filter(incident=incident).order_by("number").last().payload  # type: ignore[union-attr]
    return payload


def test_a_question_and_its_answer(incident: Incident, ada: User) -> None:
    question = questions.ask(incident.pk, text=" How many\nconnections? ", user=ada, now=NOW)
    waiting = question.answer
    assert (question.text, question.author, waiting.state) == ("How many connections?", ada, "waiting")
    assert [(m.task, m.arguments, m.queue) for m in OutboxMessage.objects.all()] == [
        ("copilot.tasks.answer", [waiting.pk], "chat")
    ]
    assert told(incident) == ["message.created", "message.created"]

    model = ScriptedModel([[reply(FULL, SLOW), ""]])
    assert questions.answer(waiting.pk, chat_model=model, now=NOW)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts, waiting.claimed_until) == ("done", 1, None)
    assert [(c.position, c.text, c.cites, c.verdict) for c in waiting.claims.all()] == [
        (0, FULL[0], ["E3"], "supported"),
        (1, SLOW[0], ["E1"], "supported"),
    ]
    assert told(incident)[2:] == ["answer.started", "answer.claim", "answer.claim", "answer.done"]
    done = last_event(incident)
    assert (done["message"], done["state"], done["failure"], done["claims"]) == (waiting.pk, "done", "", 2)
    assert "2 of 2 sentences verified" in str(done["footer"])
    assert ModelCall.objects.get().purpose == "chat"


def test_sentences_are_streamed_but_not_too_often(incident: Incident) -> None:
    message = questions.explain(incident.pk, now=NOW)
    questions.answer(message.pk, chat_model=ScriptedModel([list(reply(FULL))]), now=NOW)
    kinds = told(incident)
    assert 1 <= kinds.count("answer.sentence") < 10
    sentence = StreamEvent.objects.filter(kind="answer.sentence").first()
    assert sentence is not None
    assert sentence.payload == {"message": message.pk, "position": 1, "text": sentence.payload["text"], "cites": []}


def test_an_answer_is_written_once(incident: Incident) -> None:
    message = questions.explain(incident.pk, now=NOW)
    assert questions.answer(message.pk, chat_model=None, now=NOW)
    assert not questions.answer(message.pk, chat_model=None, now=NOW)
    assert questions.explain(incident.pk, now=NOW).pk != message.pk, "one that is done stays; a new one is written"


def test_an_answer_under_way_is_left_alone_until_its_lease_ends(incident: Incident) -> None:
    message = questions.explain(incident.pk, now=NOW)
    Message.objects.filter(pk=message.pk).update(
        state="streaming", claimed_until=NOW + timedelta(minutes=1), attempts=1
    )
    assert not questions.answer(message.pk, chat_model=None, now=NOW)
    assert questions.explain(incident.pk, now=NOW).pk == message.pk
    assert questions.answer(message.pk, chat_model=None, now=NOW + timedelta(minutes=2))


def test_a_worker_that_lost_its_lease_changes_nothing(incident: Incident) -> None:
    message = questions.explain(incident.pk, now=NOW)

    class Stolen(ScriptedModel):
        def reply(self, prompt, *, on_text):  # type: ignore[no-untyped-def]
            Message.objects.filter(pk=message.pk).update(claimed_until=NOW + timedelta(hours=1))
            return super().reply(prompt, on_text=on_text)

    questions.answer(message.pk, chat_model=Stolen([[reply(FULL)]]), now=NOW)
    message.refresh_from_db()
    assert message.state == "streaming"


def test_without_a_model_code_answers(incident: Incident, ada: User) -> None:
    question = questions.ask(incident.pk, text="Is the database the cause?", user=ada, now=NOW)
    questions.answer(question.answer.pk, chat_model=None, now=NOW)
    first, second = question.answer.claims.all()
    assert first.text.startswith("No: database was ruled out")
    assert second.text.startswith("Probably payments")
    assert "Composed by code" in questions.footer(question.answer)


def test_struck_sentences_are_not_in_the_text(incident: Incident, ada: User) -> None:
    question = questions.ask(incident.pk, text="How many connections?", user=ada, now=NOW)
    questions.answer(question.answer.pk, chat_model=ScriptedModel([[reply(FULL, WRONG)]]), now=NOW)
    answer = Message.objects.get(pk=question.answer.pk)
    assert answer.text == FULL[0]
    assert [claim.verdict for claim in answer.claims.all()] == ["supported", "struck"]


def test_a_model_that_is_down_is_tried_three_times_and_says_so(incident: Incident) -> None:
    message = questions.explain(incident.pk, now=NOW)
    down = ScriptedModel([[ModelUnreachable("The model server at h:1 refused the connection.")] for _ in range(3)])
    at = NOW
    for attempt in (1, 2, 3):
        assert questions.answer(message.pk, chat_model=down, now=at)
        message.refresh_from_db()
        if attempt < 3:
            assert message.state == "waiting"
            assert message.failure == (
                "The model server at h:1 refused the connection. The brief needs no model. Trying again in 30 s."
            )
            assert questions.reclaim_expired(now=at + timedelta(seconds=20)) == 0
            at += timedelta(seconds=60)
            assert questions.reclaim_expired(now=at) == 1
    assert message.state == "failed"
    assert message.failure.endswith("Press Explain again to try once more.")
    assert message.claims.count() == 1, "what code computed stays"
    assert last_event(incident)["state"] == "failed"

    again = questions.explain(incident.pk, now=at)
    assert (again.pk, again.state, again.attempts, again.failure) == (message.pk, "waiting", 0, "")
    assert questions.answer(again.pk, chat_model=ScriptedModel([[reply(FULL)]]), now=at)


def test_a_provider_says_when_to_come_back(incident: Incident) -> None:
    message = questions.explain(incident.pk, now=NOW)
    busy = ModelBusy("Too many requests.", retry_after=timedelta(seconds=7))
    questions.answer(message.pk, chat_model=ScriptedModel([[busy]]), now=NOW)
    message.refresh_from_db()
    assert "Trying again in 7 s." in message.failure


def test_a_refused_key_fails_at_once(incident: Incident, ada: User) -> None:
    question = questions.ask(incident.pk, text="why?", user=ada, now=NOW)
    questions.answer(
        question.answer.pk, chat_model=ScriptedModel([[ModelRefused("refused the key (status 401).")]]), now=NOW
    )
    answer = Message.objects.get(pk=question.answer.pk)
    assert answer.state == "failed"
    assert answer.failure.endswith("Press Ask again to try once more.")
    assert questions.retry(answer.pk, now=NOW).state == "waiting"


def test_a_cut_answer_keeps_its_sentences(incident: Incident, ada: User) -> None:
    question = questions.ask(incident.pk, text="How many connections?", user=ada, now=NOW)
    model = ScriptedModel([[reply(FULL, SLOW)[:-30], ModelTimedOut("It stopped sending for 20 s.")]])
    questions.answer(question.answer.pk, chat_model=model, now=NOW)
    answer = Message.objects.get(pk=question.answer.pk)
    assert (answer.state, answer.text) == ("partial", FULL[0])
    assert answer.failure.startswith("Cut short: It stopped sending")
    assert ModelCall.objects.get().error == "It stopped sending for 20 s."


def test_a_question_before_the_evidence_waits_for_it(incident: Incident, ada: User) -> None:
    Investigation.objects.update(state=Investigation.State.RUNNING)
    question = questions.ask(incident.pk, text="why?", user=ada, now=NOW)
    questions.answer(question.answer.pk, chat_model=None, now=NOW)
    waiting = Message.objects.get(pk=question.answer.pk)
    assert waiting.state == "waiting"
    assert "still being gathered" in waiting.failure


def test_a_dead_worker_is_replaced_and_after_three_the_answer_fails(incident: Incident) -> None:
    message = questions.explain(incident.pk, now=NOW)
    OutboxMessage.objects.all().delete()
    late = NOW + timedelta(minutes=10)
    Message.objects.filter(pk=message.pk).update(state="streaming", claimed_until=NOW, attempts=1)
    assert questions.reclaim_expired(now=late) == 1
    assert OutboxMessage.objects.get().arguments == [message.pk]
    assert questions.reclaim_expired(now=late) == 0
    Message.objects.filter(pk=message.pk).update(state="streaming", claimed_until=NOW, attempts=3)
    assert questions.reclaim_expired(now=late) == 0
    message.refresh_from_db()
    assert (message.state, message.failure) == (
        "failed",
        "The answer was not finished in 3 attempts. Press Explain again to try once more.",
    )


def test_the_model_is_told_what_was_said_before(incident: Incident, ada: User) -> None:
    first = questions.ask(incident.pk, text="since when?", user=ada, now=NOW)
    questions.answer(first.answer.pk, chat_model=None, now=NOW)
    second = questions.ask(incident.pk, text="How many connections?", user=ada, now=NOW + timedelta(minutes=1))
    model = ScriptedModel([[reply(FULL)]])
    questions.answer(second.answer.pk, chat_model=model, now=NOW)
    assert "Asked before: since when?" in model.prompts[0].user


def test_the_footers_of_a_page_need_no_query_each(incident: Incident, ada: User, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    for _ in range(3):
        question = questions.ask(incident.pk, text="How many connections?", user=ada, now=NOW)
        questions.answer(question.answer.pk, chat_model=ScriptedModel([[reply(FULL)]]), now=NOW)
    with django_assert_num_queries(3):
        answers = list(Message.objects.filter(from_copilot=True).prefetch_related("claims", "model_calls"))
        assert ["1 of 1 sentences verified" in questions.footer(message) for message in answers] == [True] * 3


@pytest.mark.parametrize("text", ["", "  \n", "\u200b\u202e", "x" * 1001])
def test_a_question_without_sense_is_refused(incident: Incident, ada: User, text: str) -> None:
    with pytest.raises(QuestionRefused):
        questions.ask(incident.pk, text=text, user=ada, now=NOW)
    assert not Message.objects.exists()


def test_a_flood_of_questions_is_refused(incident: Incident, ada: User) -> None:
    for _ in range(10):
        questions.ask(incident.pk, text="why?", user=ada, now=NOW)
    with pytest.raises(QuestionRefused, match="10 questions are waiting"):
        questions.ask(incident.pk, text="why?", user=ada, now=NOW)


def test_evidence_without_items_still_gets_an_answer(incident: Incident) -> None:
    empty = replace(BUNDLE, items=(), hypotheses=(), gaps=("There were no metrics.",))
    Investigation.objects.update(evidence=json.loads(json.dumps(bundles.to_json(empty))))
    message = questions.explain(incident.pk, now=NOW)
    questions.answer(message.pk, chat_model=None, now=NOW)
    assert "names no cause" in message.claims.get().text


def test_a_question_that_waits_can_be_taken_back_by_who_asked(incident: Incident, ada: User) -> None:
    question = questions.ask(incident.pk, text="Why?", user=ada, now=NOW)
    waiting = question.answer.pk
    assert not questions.withdraw(waiting, user=User.objects.create_user("bo"), now=NOW)
    assert questions.withdraw(waiting, user=ada, now=NOW)
    assert not questions.withdraw(waiting, user=ada, now=NOW)
    assert not questions.answer(waiting, chat_model=None, now=NOW)
    assert (last_event(incident)["state"], last_event(incident)["failure"]) == ("withdrawn", "Taken back by ada.")


def test_in_a_thread_the_model_is_shown_the_thread(incident: Incident, ada: User) -> None:
    first = questions.ask(incident.pk, text="How many connections?", user=ada, now=NOW)
    questions.answer(first.answer.pk, chat_model=None, now=NOW)
    for text in ("What changed?", "Who is affected?"):
        questions.answer(questions.ask(incident.pk, text=text, user=ada, now=NOW).answer.pk, chat_model=None, now=NOW)
    reply_to = questions.ask(incident.pk, text="Since when?", user=ada, reply_to=first.answer.pk, now=NOW)
    assert [turn.question for turn in answering.history_of(reply_to.answer)] == ["How many connections?"]
    with pytest.raises(QuestionRefused, match="no longer there"):
        questions.ask(incident.pk, text="And?", user=ada, reply_to=999999, now=NOW)
