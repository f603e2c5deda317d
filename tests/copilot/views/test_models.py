"""The page on the models: which answers, and how much of what each wrote the evidence supported."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from copilot.answers import feedback
from copilot.llm import record, usage
from copilot.llm.usage import CallUsage
from copilot.models import Claim, Message
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def answered() -> Message:
    """An answer of which code wrote one sentence and a model three, one of these unsupported and one struck out."""
    incident = cast.incident()
    now = timezone.now()
    message = Message.objects.create(incident=incident, from_copilot=True, created_at=now, finished_at=now)
    verdicts = [("supported", False), ("supported", True), ("unverified", True), ("struck", True)]
    for position, (verdict, by_model) in enumerate(verdicts):
        Claim.objects.create(message=message, position=position, text="x", verdict=verdict, by_model=by_model)
    good = CallUsage(
        "openai:gpt-5",
        prompt_version="1-abc",
        prompt_tokens=900,
        cached_tokens=400,
        output_tokens=100,
        first_token_seconds=0.5,
        seconds=2.0,
    )
    usage.record(good, purpose="chat", message=message, started_at=now)
    usage.record(good.failed("no answer"), purpose="chat", message=None, started_at=now)
    usage.record(CallUsage("mystery", seconds=1.0), purpose="chat", message=None, started_at=now)
    return message


def test_only_what_the_model_wrote_counts_for_it(answered: Message) -> None:
    mira = cast.mira()
    for position, word in ((1, "right"), (2, "wrong"), (0, "useless")):
        feedback.judge(answered.claims.get(position=position), user=mira, judgement=word, now=timezone.now())
    first, second = record.use_since(timezone.now() - timedelta(days=1))
    assert (first.model, first.calls, first.failed) == ("openai:gpt-5", 2, 1)
    assert (first.sentences, first.unsupported, first.struck) == (3, 2, 1)
    assert (first.purpose, first.prompt_version) == ("chat", "1-abc")
    assert (first.found_right, first.found_wrong, first.found_useless) == (1, 1, 0), "of code's sentence nothing counts"
    assert first.cost_usd is not None
    assert (second.model, second.cost_usd, second.unsupported_share) == ("mystery", None, None)
    (week,) = record.weeks_since(timezone.now() - timedelta(days=1))
    assert (week.model, week.sentences, week.unsupported) == ("openai:gpt-5", 3, 2)
    assert record.use_since(timezone.now() + timedelta(days=1)) == []


def test_the_page_shows_it_and_says_what_to_do_without_a_model(client: Client, answered: Message) -> None:
    client.force_login(cast.person("vic", "viewer"))
    said = client.get("/settings/models/?days=7").content.decode()
    assert "openai:gpt-5" in said
    assert "67 %" in said
    assert "1 struck out" in said
    assert "unknown" in said
    Message.objects.all().delete()
    assert "COPILOT_LLM=none: answers are composed by code alone." in said


def test_an_answer_keeps_who_wrote_each_sentence(client: Client) -> None:
    from copilot.answers import questions
    from copilot.llm.scripted import ScriptedModel

    incident = cast.incident()
    cast.investigated(incident)
    asked = questions.ask(incident.pk, text="Why?", user=cast.mira(), now=timezone.now())
    model = ScriptedModel([['{"claims":[{"text":"payments db_pool_in_use rose.","cites":["E1"]}]}']])
    questions.answer(asked.answer.pk, chat_model=model, now=timezone.now())
    written = list(asked.answer.claims.values_list("by_model", flat=True))
    assert written[0] is False
    assert written[-1] is True
