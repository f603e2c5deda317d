"""A storm of incidents is no storm of model calls: a cap on runs, the gravest first, and a cap on money."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from copilot.answers import line, questions
from copilot.evidence import bundle as bundles
from copilot.llm import usage
from copilot.llm.scripted import ScriptedModel
from copilot.llm.usage import CallUsage
from copilot.models import Message, ModelCall
from incidents.models import Incident, Investigation, OutboxMessage
from tests.copilot.answers.cast import BUNDLE, END, START
from tests.copilot.answers.test_composition import FULL, reply

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
STORM = 5000
DEAR = "openai:gpt-4o"

pytestmark = pytest.mark.django_db


def opened(count: int, **changes: object) -> list[Incident]:
    """Incidents of which every fourth is of severity 1, 2, 3 and 4."""
    fields = {"started_at": START, "opened_at": START, "last_anomaly_at": END, **changes}
    rows = [Incident(title=f"fingerprint {n}", severity=n % 4 + 1, **fields) for n in range(count)]
    made = Incident.objects.bulk_create(rows)
    evidence = bundles.to_json(BUNDLE)
    ready = Investigation.State.READY
    Investigation.objects.bulk_create(
        [
            Investigation(incident=incident, state=ready, requested_at=START, evidence=evidence)
            for incident in made[: 4 * 60]
        ]
    )
    return made


def in_line(incidents: list[Incident]) -> None:
    rows = [Message(incident=i, from_copilot=True, state="waiting", created_at=NOW) for i in incidents]
    Message.objects.bulk_create(rows)


def dear_model(usd: Decimal) -> ScriptedModel:
    """A hosted model of which each call costs about this much."""

    class Dear(ScriptedModel):
        def reply(self, prompt, *, on_text):  # type: ignore[no-untyped-def]
            done = super().reply(prompt, on_text=on_text)
            tokens = int(usd * usage.MILLION / Decimal(usage.PRICES[DEAR][2]))
            return type(done)(done.text, done.finish, CallUsage(DEAR, output_tokens=tokens))

    return Dear([[reply(FULL)]] * 500, name=DEAR)


def test_in_a_storm_models_run_up_to_the_cap_and_the_gravest_come_first(settings: Settings) -> None:
    settings.COPILOT_LLM = DEAR
    settings.LLM_RUNS_PER_HOUR, settings.LLM_RUNS_AT_ONCE = 40, 2
    settings.LLM_USD_PER_DAY = 0.50
    in_line(opened(STORM))
    model = dear_model(Decimal("0.02"))
    now, most_at_once = NOW, 0
    while line.release(now=now):
        running = Message.objects.filter(state="waiting", claimed_until__isnull=False)
        most_at_once = max(most_at_once, running.count())
        for message in running:
            questions.answer(message.pk, chat_model=model, now=now)
        now += timedelta(seconds=10)
    done = Message.objects.filter(state="done")
    assert (done.count(), most_at_once) == (40, 2)
    assert Counter(done.values_list("incident__severity", flat=True)) == {1: 40}
    assert Message.objects.filter(state="waiting", claimed_until=None).count() == STORM - 40
    spent = sum(ModelCall.objects.values_list("cost_usd", flat=True))
    assert Decimal("0.4") < spent <= Decimal("0.5")
    assert len(model.prompts) < 40, "the last were composed by code, when the money was spent"
    by_code = done.filter(failure__contains="are spent; code composes the answers until 00:00 UTC")
    assert by_code.count() == 40 - len(model.prompts)
    assert line.release(now=NOW + timedelta(hours=1, minutes=1)) == 2, "the next hour goes on"


def test_who_asks_does_not_wait_in_line(settings: Settings) -> None:
    settings.COPILOT_LLM, settings.LLM_RUNS_PER_HOUR = DEAR, 0
    (incident,) = opened(1)
    waiting = questions.explain_in_turn(incident.pk, now=NOW)
    assert (waiting.state, OutboxMessage.objects.count()) == ("waiting", 0)
    assert questions.explain_in_turn(incident.pk, now=NOW).pk == waiting.pk
    assert questions.reclaim_expired(now=NOW + timedelta(hours=2)) == 0, "it waits for its turn, not for a worker"
    assert questions.explain(incident.pk, now=NOW).pk == waiting.pk
    assert OutboxMessage.objects.get().arguments == [waiting.pk]


def test_incidents_that_are_over_are_not_explained_and_code_alone_never_waits(settings: Settings) -> None:
    settings.COPILOT_LLM = DEAR
    in_line(opened(1, status=Incident.Status.RESOLVED))
    assert line.release(now=NOW) == 0
    settings.COPILOT_LLM, settings.LLM_RUNS_PER_HOUR = "none", 0
    (incident,) = opened(1)
    questions.explain_in_turn(incident.pk, now=NOW)
    assert OutboxMessage.objects.count() == 1


def test_one_incident_has_a_cap_of_its_own(settings: Settings) -> None:
    settings.LLM_USD_PER_INCIDENT = 0.08
    (incident,) = opened(1)
    user = User.objects.create_user("ada")
    model = dear_model(Decimal("0.04"))
    said = []
    for _ in range(2):
        asked = questions.ask(incident.pk, text="Why?", user=user, now=NOW)
        questions.answer(asked.answer.pk, chat_model=model, now=NOW)
        asked.answer.refresh_from_db()
        said.append(asked.answer.failure)
    assert said[0] == ""
    assert "for one incident (COPILOT_LLM_USD_PER_INCIDENT), and $0.04 are spent" in said[1]
    assert len(model.prompts) == 1


def test_an_answer_keeps_its_evidence_and_its_prompt(settings: Settings) -> None:
    (incident,) = opened(1)
    user = User.objects.create_user("ada")
    answers = []
    for _ in range(2):
        asked = questions.ask(incident.pk, text="Why?", user=user, now=NOW)
        questions.answer(asked.answer.pk, chat_model=ScriptedModel([[reply(FULL)]]), now=NOW)
        asked.answer.refresh_from_db()
        answers.append(asked.answer)
    assert bundles.from_json(answers[0].pinned.bundle) == BUNDLE
    assert answers[0].pinned_id == answers[1].pinned_id, "the same bundle is kept once"
    assert answers[0].model_calls.get().prompt_version.startswith("1-")
