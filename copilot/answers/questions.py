"""Questions and their answers as rows: asked once, answered by whichever worker claims them first, followed live by every open page."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q

from copilot import events
from copilot.answers import answering, composition, line, mentions
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.answers.composition import Answer
from copilot.answers.line import PICKED_UP, QUEUE, TASK
from copilot.llm import providers, usage
from copilot.llm.breaker import Clock, guarded_chat_model
from copilot.llm.chat_model import ChatModel, lease
from copilot.llm.plain_text import clean
from copilot.llm.purposes import Purpose
from copilot.models import Claim, Message
from copilot.privacy.pseudonyms import HidingFailed
from incidents.intake import outbox
from incidents.models import Incident

LONGEST_QUESTION = 1000
MOST_WAITING = 10  # unanswered questions of one incident
ATTEMPTS = 3
RETRY_AFTER = timedelta(seconds=30)
SENTENCE_SECONDS = 0.1  # at most ten updates a second of a sentence that is being written

State = Message.State
OPEN = (State.WAITING, State.STREAMING)


class QuestionRefused(Exception):
    """The question cannot be taken; the message says why and is meant for who asked."""


def ask(incident_id: int, *, text: str, user: User | None, now: datetime, reply_to: int | None = None) -> Message:
    """Take a message and return it. Raises QuestionRefused, Incident.DoesNotExist.

    A question's answer is a waiting row that a worker fills; a message that begins with @name is for that person, and nobody answers it
    but they. Whoever is named in it is told. `reply_to` is a message of the same incident.
    """
    asked = clean(text)
    if not asked:
        raise QuestionRefused("Write a question first.")
    if len(asked) > LONGEST_QUESTION:
        raise QuestionRefused(f"The question has {len(asked):,} characters; {LONGEST_QUESTION:,} are allowed.")
    with transaction.atomic():
        incident = Incident.objects.select_for_update().get(pk=incident_id)
        if incident.messages.filter(from_copilot=True, state__in=OPEN).count() >= MOST_WAITING:
            raise QuestionRefused(
                f"{MOST_WAITING} questions are waiting for their answers already; ask again when one is done."
            )
        before = incident.messages.filter(pk=reply_to).first() if reply_to else None
        if reply_to and before is None:
            raise QuestionRefused("The message that you reply to is no longer there.")
        question = Message.objects.create(incident=incident, author=user, text=asked, created_at=now, reply_to=before)
        _tell(question, "message.created")
        mentions.tell(question, now=now)
        if not mentions.is_for_people(asked):
            _expect_answer(incident, question=question, now=now)
    return question


def explain(incident_id: int, *, now: datetime) -> Message:
    """Ask for the explanation as a whole and return its row; one that is under way is returned, one that failed is written again.

    Raises Incident.DoesNotExist.
    """
    with transaction.atomic():
        incident = Incident.objects.select_for_update().get(pk=incident_id)
        latest = incident.messages.filter(from_copilot=True, question=None).order_by("-pk").first()
        if latest is None or latest.state == State.DONE:
            return _expect_answer(incident, question=None, now=now)
        if latest.state not in OPEN:
            return _again(latest, now=now)
        line.let_go(latest.pk, now=now)
        return latest


def explain_in_turn(incident_id: int, *, now: datetime) -> Message:
    """Have the explanation written when it is its turn: nobody has asked for it, and others may be more urgent.

    One that is under way is returned. Raises Incident.DoesNotExist.
    """
    with transaction.atomic():
        incident = Incident.objects.select_for_update().get(pk=incident_id)
        latest = incident.messages.filter(from_copilot=True, question=None).order_by("-pk").first()
        if latest is not None and latest.state in OPEN:
            return latest
        if latest is None or latest.state == State.DONE:
            latest = Message(incident=incident, from_copilot=True, created_at=now)
        message = _blank(latest, waits_until=None)
        if not providers.choose(Purpose.EXPLAIN):  # code alone: that takes no time worth waiting for
            line.let_go(message.pk, now=now)
    line.release(now=now)
    return message


def retry(message_id: int, *, now: datetime) -> Message:
    """Ask again for an answer that failed or was cut short, and return it. Raises Message.DoesNotExist."""
    with transaction.atomic():
        message = Message.objects.select_for_update().get(pk=message_id, from_copilot=True)
        return message if message.state in (*OPEN, State.DONE) else _again(message, now=now)


def model_for(message_id: int, *, clock: Clock) -> ChatModel | None:
    """Return who writes an answer: one without a question explains the incident; a question is investigated where a model can call tools."""
    if not Message.objects.filter(pk=message_id, question__isnull=False).exists():
        return guarded_chat_model(Purpose.EXPLAIN, clock=clock)
    investigating = guarded_chat_model(Purpose.INVESTIGATION, clock=clock)
    if investigating is not None and investigating.can_call_tools:
        return investigating
    return guarded_chat_model(Purpose.CHAT, clock=clock)


def withdraw(message_id: int, *, user: User, now: datetime) -> bool:
    """Take back one's own question while its answer waits. Return False when it is being answered already, or somebody else asked."""
    with transaction.atomic():
        waiting = Message.objects.filter(pk=message_id, from_copilot=True, state=State.WAITING, question__author=user)
        taken = waiting.update(
            state=State.WITHDRAWN, claimed_until=None, finished_at=now, failure=f"Taken back by {user.get_username()}."
        )
        if taken:
            _tell_end(Message.objects.get(pk=message_id))
    return bool(taken)


def answer(message_id: int, *, chat_model: ChatModel | None, now: datetime) -> bool:
    """Write an answer, streaming it to open pages. Return False when another worker has it or it is written already."""
    until = now + lease()
    free = Q(state=State.WAITING) | Q(state=State.STREAMING, claimed_until__lt=now)
    claimed = Message.objects.filter(free, pk=message_id, from_copilot=True, attempts__lt=ATTEMPTS).update(
        state=State.STREAMING, claimed_until=until, attempts=F("attempts") + 1, failure=""
    )
    if not claimed:
        return False
    message = Message.objects.select_related("incident", "question").get(pk=message_id)
    _tell(message, "answer.started")
    begun = time.monotonic()
    try:
        found = answering.compose(message, chat_model=chat_model, listener=_Stream(message), now=now)
    except HidingFailed as error:
        found = Answer((), composition.State.FAILED, f"{error} Nothing was sent to the model.", temporary=True)
    _keep(message, found, now=now, elapsed=timedelta(seconds=time.monotonic() - begun))
    return True


def reclaim_expired(*, now: datetime) -> int:
    """Ask again for answers that were not picked up, whose worker died or whose retry is due; give up after three attempts.

    Return how many were asked for.
    """
    due = Message.objects.filter(from_copilot=True, state__in=OPEN, claimed_until__lt=now)
    asked = 0
    for message in due.select_related("incident")[:100]:
        if message.attempts >= ATTEMPTS:
            _give_up(message, now=now)
        elif _due_again(message, now=now):
            asked += 1
    return asked


def footer(message: Message) -> str:
    """Return what an answer took, in a line: model, tokens, seconds, cost, and how many sentences were verified.

    Reads `model_calls` and `claims`: who shows many messages prefetches both.
    """
    calls = sorted(message.model_calls.all(), key=lambda call: call.pk)
    verdicts = [claim.verdict for claim in message.claims.all()]
    verified = f"{verdicts.count(Verdict.SUPPORTED)} of {len(verdicts)} sentences verified"
    if not calls:
        return f"Composed by code from the evidence · {verified}"
    prompt, cached, output = (
        sum(getattr(call, name) for call in calls) for name in ("prompt_tokens", "cached_tokens", "output_tokens")
    )
    first = next((f"first word after {c.first_token_seconds:.1f} s" for c in calls if c.first_token_seconds), "no word")
    costs = [call.cost_usd for call in calls]
    cost = "cost unknown" if None in costs else f"${sum(c for c in costs if c is not None):.4f}"
    seconds = sum(call.seconds for call in calls)
    tokens = f"{prompt:,} tokens in ({cached:,} cached), {output:,} out"
    return f"{calls[-1].model} · {tokens} · {first}, {seconds:.1f} s in all · {cost} · {verified}"


@dataclass
class _Stream:
    """Follows an answer: each finished claim becomes a row and an event, unfinished sentences events now and then."""

    message: Message
    _last: dict[str, Any] = field(default_factory=dict)
    _sent_at: float = 0.0

    def sentence(self, position: int, text: str, cites: tuple[str, ...]) -> None:
        """Tell pages how far the sentence is, at most ten times a second."""
        payload = {"message": self.message.pk, "position": position, "text": text, "cites": list(cites)}
        if payload == self._last or time.monotonic() - self._sent_at < SENTENCE_SECONDS:
            return
        self._last, self._sent_at = payload, time.monotonic()
        events.publish(incident_id=self.message.incident_id, kind="answer.sentence", payload=payload)

    def claim(self, position: int, claim: CheckedClaim) -> None:
        """Keep the claim and tell pages."""
        values = {
            "text": claim.text,
            "cites": list(claim.cites),
            "verdict": claim.verdict.value,
            "reason": claim.reason,
        }
        told = {"message": self.message.pk, "position": position, **values}
        with transaction.atomic():
            kept = values | {"by_model": claim.by_model}
            Claim.objects.update_or_create(message=self.message, position=position, defaults=kept)
            events.publish(incident_id=self.message.incident_id, kind="answer.claim", payload=told)


def _keep(message: Message, found: Answer, *, now: datetime, elapsed: timedelta) -> None:
    """Store how the answer ended, if this worker still has it."""
    ended = now + elapsed
    again = found.temporary and found.state == composition.State.FAILED and message.attempts < ATTEMPTS
    wait = max(found.retry_after or RETRY_AFTER, timedelta(seconds=1))
    with transaction.atomic():
        kept = Message.objects.filter(pk=message.pk, state=State.STREAMING, claimed_until=message.claimed_until).update(
            state=State.WAITING if again else found.state.value,
            failure=_advice(found, message, wait if again else None),
            text="\n".join(c.text for c in found.claims if c.verdict != Verdict.STRUCK),
            claimed_until=ended + wait if again else None,
            finished_at=None if again else ended,
        )
        if not kept:
            return
        Claim.objects.filter(message=message, position__gte=len(found.claims)).delete()
        purpose = Purpose.CHAT if message.question_id else Purpose.EXPLAIN
        for call in found.calls:
            usage.record(call, purpose=purpose, message=message, started_at=now)
        _tell_end(message)


def _advice(found: Answer, message: Message, wait: timedelta | None) -> str:
    """Return why there is no whole answer and what happens next."""
    if not found.failure:
        return ""
    if found.state == composition.State.DONE and found.claims:
        return found.failure
    if wait is not None:
        return f"{found.failure} The brief needs no model. Trying again in {wait.total_seconds():.0f} s."
    button = "Press Explain again" if message.question_id is None else "Press Ask again"
    if found.state == composition.State.PARTIAL:
        return f"Cut short: {found.failure} {button} for a whole answer."
    return f"{found.failure} The brief needs no model. {button} to try once more."


def _expect_answer(incident: Incident, *, question: Message | None, now: datetime) -> Message:
    message = Message.objects.create(
        incident=incident,
        from_copilot=True,
        question=question,
        state=State.WAITING,
        created_at=now,
        claimed_until=now + PICKED_UP,
    )
    _tell(message, "message.created")
    outbox.enqueue(task=TASK, arguments=[message.pk], queue=QUEUE)
    return message


def _again(message: Message, *, now: datetime) -> Message:
    _blank(message, waits_until=now + PICKED_UP)
    outbox.enqueue(task=TASK, arguments=[message.pk], queue=QUEUE)
    return message


def _blank(message: Message, *, waits_until: datetime | None) -> Message:
    """Store an answer as one that waits to be written, and tell pages."""
    message.state, message.attempts, message.failure, message.text = State.WAITING, 0, "", ""
    message.claimed_until, message.finished_at, message.released_at = waits_until, None, None
    message.save()
    message.claims.all().delete()
    message.steps.all().delete()
    message.steerings.all().delete()
    _tell(message, "message.created")
    return message


def _due_again(message: Message, *, now: datetime) -> bool:
    """Put the answer back to waiting and ask for it; only one of two reclaimers can."""
    with transaction.atomic():
        taken = Message.objects.filter(pk=message.pk, state__in=OPEN, claimed_until=message.claimed_until).update(
            state=State.WAITING, claimed_until=now + PICKED_UP
        )
        if taken:
            outbox.enqueue(task=TASK, arguments=[message.pk], queue=QUEUE)
    return bool(taken)


def _give_up(message: Message, *, now: datetime) -> None:
    reason = message.failure.partition(" Trying again")[0] or f"The answer was not finished in {ATTEMPTS} attempts."
    button = "Press Explain again" if message.question_id is None else "Press Ask again"
    with transaction.atomic():
        given_up = Message.objects.filter(pk=message.pk, state__in=OPEN, claimed_until=message.claimed_until).update(
            state=State.FAILED, failure=f"{reason} {button} to try once more.", claimed_until=None, finished_at=now
        )
        if given_up:
            arguments: list[int | str] = [message.pk]
            outbox.bury(
                task="copilot.tasks.answer", arguments=arguments, queue="chat", attempts=ATTEMPTS, cause=reason, now=now
            )
        _tell_end(message)


def _tell(message: Message, kind: str) -> None:
    events.publish(incident_id=message.incident_id, kind=kind, payload={"message": message.pk})


def _tell_end(message: Message) -> None:
    message.refresh_from_db()
    payload = {
        "message": message.pk,
        "state": message.state,
        "failure": message.failure,
        "footer": footer(message),
        "claims": message.claims.count(),
    }
    events.publish(incident_id=message.incident_id, kind="answer.done", payload=payload)
