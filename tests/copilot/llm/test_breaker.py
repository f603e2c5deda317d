"""A failing model is not asked again and again: the circuit opens, says when it closes, and retries have a budget."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from copilot.llm.breaker import FIRST_REST, LONGEST_REST, Guarded, ModelResting
from copilot.llm.failures import ModelBusy, ModelFailed, ModelRefused, ModelUnreachable, StreamCut
from copilot.llm.prompts import Prompt
from copilot.llm.scripted import ScriptedModel
from copilot.models import LanguageModel

pytestmark = pytest.mark.django_db
PROMPT = Prompt("You explain.", "What is wrong?")


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime(2026, 11, 27, 22, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now


def ask(model: Guarded) -> ModelFailed | None:
    """Return how a call failed, None when it did not."""
    try:
        model.reply(PROMPT, on_text=lambda text: None)
    except ModelFailed as failure:
        return failure
    return None


def guarded(*replies: ModelFailed | str) -> tuple[Guarded, ScriptedModel, Clock]:
    scripted, clock = ScriptedModel([[reply] for reply in replies]), Clock()
    return Guarded(scripted, clock), scripted, clock


def down(count: int) -> list[ModelFailed | str]:
    return [ModelUnreachable("refused the connection.") for _ in range(count)]


def test_after_three_failures_nobody_is_asked_until_one_may_try() -> None:
    model, scripted, clock = guarded(*down(3), "fine", "fine")
    assert [type(ask(model)) for _ in range(3)] == [ModelUnreachable] * 3
    resting = ask(model)
    assert isinstance(resting, ModelResting)
    assert "scripted failed 3 times in a row and is asked again at 22:00:30 UTC. Last: refused the connection." in str(
        resting
    )
    assert resting.retry_after == FIRST_REST
    assert resting.temporary
    assert len(scripted.prompts) == 3
    clock.now += FIRST_REST
    assert ask(model) is None
    assert ask(model) is None
    row = LanguageModel.objects.get()
    assert (row.failures, row.rests_until) == (0, None)


def test_one_failed_try_opens_it_again_for_twice_as_long_up_to_a_limit() -> None:
    model, _, clock = guarded(*down(12))
    for _ in range(3):
        ask(model)
    for rest in (30, 60, 120, 240, 300, 300):
        clock.now += timedelta(seconds=rest - 1)
        assert isinstance(ask(model), ModelResting)
        clock.now += timedelta(seconds=1)
        assert isinstance(ask(model), ModelUnreachable)
    assert timedelta(seconds=300) == LONGEST_REST


def test_while_one_tries_the_others_wait() -> None:
    model, _, clock = guarded(*down(3))
    for _ in range(3):
        ask(model)
    clock.now += FIRST_REST
    _, scripted, _ = guarded("never")
    other = Guarded(scripted, clock)

    @dataclass
    class AsksMeanwhile(ScriptedModel):
        def reply(self, prompt, *, on_text):  # type: ignore[no-untyped-def]
            assert isinstance(ask(other), ModelResting)
            return super().reply(prompt, on_text=on_text)

    assert ask(Guarded(AsksMeanwhile([["fine"]]), clock)) is None
    assert scripted.prompts == []


def test_a_provider_that_asks_to_wait_is_not_asked_before() -> None:
    model, _, clock = guarded(ModelBusy("429", retry_after=timedelta(seconds=90)), "fine")
    ask(model)
    clock.now += timedelta(seconds=89)
    assert isinstance(ask(model), ModelResting)
    clock.now += timedelta(seconds=1)
    assert ask(model) is None


def test_retries_have_a_budget_that_success_gives_back() -> None:
    model, _, _ = guarded(*(reply for _ in range(12) for reply in (StreamCut("cut"), "fine")))
    allowed = []
    for _ in range(12):
        failure = ask(model)
        assert failure is not None
        allowed.append(failure.retry_allowed)
        ask(model)
    assert allowed[0]
    assert not allowed[-1], "half of the tokens are gone"
    for _ in range(3):
        LanguageModel.objects.update(retry_tokens=9.9)
    assert ask(Guarded(ScriptedModel([["fine"]]), Clock())) is None
    assert LanguageModel.objects.get().retry_tokens == 10


def test_a_refused_key_is_never_worth_a_retry() -> None:
    model, _, _ = guarded(ModelRefused("refused the key (status 401)."))
    failure = ask(model)
    assert failure is not None
    assert not failure.retry_allowed
