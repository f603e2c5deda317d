"""Writes an answer again from its pinned evidence, with another model or another version of the prompt, to see the two side by side."""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from copilot.answers import answering, composition, prompting
from copilot.answers.asking import Silent
from copilot.answers.composition import Answer
from copilot.answers.investigation import loop
from copilot.answers.investigation.found import Sources
from copilot.answers.investigation.ledger import MemoryLedger
from copilot.answers.investigation.loop import Desk
from copilot.answers.investigation.recorded import Recorded
from copilot.answers.investigation.rows import step_of
from copilot.evidence import bundle as bundles
from copilot.evidence import hiding
from copilot.evidence.attached.files import AttachedFile
from copilot.evidence.bundle import EvidenceBundle
from copilot.llm import breaker, capabilities, chat_model, prompts, providers, spending, usage
from copilot.llm.chat_model import ChatModel
from copilot.llm.purposes import Purpose, named_for
from copilot.models import Message, Rerun
from copilot.privacy import vault
from copilot.privacy.cover import cover
from copilot.privacy.pseudonyms import HidingFailed, Pseudonyms
from incidents.intake import outbox

CODE_ALONE = "none"
MOST_WAITING = 3  # of one answer
PURPOSE = "rerun"
TASK, QUEUE = "copilot.tasks.write_again", "chat"
GIVEN_UP = timedelta(minutes=10)  # after it was asked for: its worker died
_OPEN = (Message.State.WAITING, Message.State.STREAMING)

Clock = Callable[[], datetime]


class RerunRefused(Exception):
    """The answer cannot be written again like this; the message says why and is meant for who asked."""


def models() -> dict[str, str]:
    """Return the models that may be chosen: those of any purpose, COPILOT_LLM_COMPARE and code alone; what settings call each → its name."""
    named = ",".join([*(named_for(purpose) for purpose in Purpose), settings.COPILOT_LLM_COMPARE]).split(",")
    chosen = dict.fromkeys(each.strip() for each in named if each.strip() not in ("", CODE_ALONE))
    return {each: providers.named_choice(each).name for each in chosen} | {CODE_ALONE: "code alone"}


def request(message_id: int, *, model: str, prompt_version: str, user: User | None, now: datetime) -> Rerun:
    """Ask for an answer to be written again; a worker does it. Raises RerunRefused, Message.DoesNotExist."""
    if model not in models():
        raise RerunRefused(f"The model {model!r} is not among those that the settings name.")
    if prompt_version not in prompts.versions(prompting.PROMPT):
        raise RerunRefused(f"There is no version {prompt_version!r} of the prompt.")
    with transaction.atomic():
        message = Message.objects.select_for_update().get(pk=message_id, from_copilot=True)
        if message.pinned_id is None or message.state in _OPEN:
            raise RerunRefused("Only an answer that is written, with its evidence kept, can be written again.")
        if message.reruns.filter(state__in=_OPEN).count() >= MOST_WAITING:
            raise RerunRefused(f"{MOST_WAITING} of this answer are being written already; wait for one.")
        rerun = Rerun.objects.create(
            message=message, model=model, prompt_version=prompt_version, requested_by=user, requested_at=now
        )
        outbox.enqueue(task=TASK, arguments=[rerun.pk], queue=QUEUE)
    return rerun


def run(rerun_id: int, *, clock: Clock) -> bool:
    """Write it. Return False when another worker has it or it is written already."""
    taken = Rerun.objects.filter(pk=rerun_id, state=Message.State.WAITING).update(state=Message.State.STREAMING)
    if not taken:
        return False
    rerun = Rerun.objects.select_related("message__question", "message__pinned", "message__incident").get(pk=rerun_id)
    model = _model(rerun, clock=clock)
    why_not = spending.why_not(rerun.message, model, now=clock()) if model else ""
    begun, started_at = time.monotonic(), clock()
    found = Answer((), composition.State.FAILED, why_not) if why_not else _compose(rerun, model)
    _keep(rerun, found, seconds=time.monotonic() - begun, started_at=started_at, now=clock())
    return True


def give_up_stuck(*, now: datetime) -> int:
    """Mark what its worker left unfinished as failed. Return how many."""
    stuck = Rerun.objects.filter(state__in=_OPEN, requested_at__lt=now - GIVEN_UP)
    return stuck.update(
        state=Message.State.FAILED, failure="It was not finished in ten minutes. Run it again.", finished_at=now
    )


def _model(rerun: Rerun, *, clock: Clock) -> ChatModel | None:
    if rerun.model == CODE_ALONE:
        return None
    one = chat_model.model_of(providers.named_choice(rerun.model), describe=capabilities.kept)
    return breaker.Guarded(replace(one, budget=replace(one.budget, version=rerun.prompt_version)), clock)


def _compose(rerun: Rerun, model: ChatModel | None) -> Answer:
    message = rerun.message
    assert message.pinned is not None  # noqa: S101 - `request` refuses others
    try:
        pseudonyms = vault.of_incident(message.incident_id)
        bundle = hiding.hide(bundles.from_json(message.pinned.bundle), pseudonyms)
    except HidingFailed as error:
        return Answer((), composition.State.FAILED, f"{error} Nothing was sent to the model.")
    if message.question is not None and model is not None and model.can_call_tools:
        return _investigate(message, bundle, model, pseudonyms)
    return composition.compose(
        question=message.question.text if message.question else "",
        bundle=bundle,
        history=answering.history_of(message),
        chat_model=model,
        listener=Silent(),
        mask=partial(cover, pseudonyms=pseudonyms),
    )


def _investigate(message: Message, bundle: EvidenceBundle, model: ChatModel, pseudonyms: Pseudonyms) -> Answer:
    """Have a model that calls tools look things up again, and find what was found when the answer was written."""
    begun = replace(bundle, looked_up=())
    ledger = MemoryLedger(begun, pseudonyms)
    sources = Sources(
        backend=None,
        incident=message.incident,
        bundle=begun,
        files=tuple(AttachedFile(file.name, ()) for file in message.incident.attachments.only("name")),
        search=answering.search_passages,
        now=message.finished_at or bundle.incident_end,
        recording=Recorded([step_of(row) for row in message.steps.all()], bundle),
    )
    desk = Desk(
        question=message.question.text if message.question else "",
        sources=sources,
        ledger=ledger,
        mask=partial(cover, pseudonyms=pseudonyms),
        history=answering.history_of(message),
    )
    found, _ = loop.investigate(desk, model=model, listener=Silent())
    return replace(found, calls=(*ledger.calls, *found.calls))


def _keep(rerun: Rerun, found: Answer, *, seconds: float, started_at: datetime, now: datetime) -> None:
    with transaction.atomic():
        kept = Rerun.objects.filter(pk=rerun.pk, state=Message.State.STREAMING).update(
            state=found.state.value,
            claims=[asdict(claim) for claim in found.claims],
            calls=[_call(call) for call in found.calls],
            seconds=seconds,
            failure=found.failure,
            finished_at=now,
        )
        for call in found.calls if kept else ():
            # For the money and the record of the models; the answer itself keeps the calls it was written with.
            usage.record(call, purpose=PURPOSE, message=None, started_at=started_at)


def _call(call: usage.CallUsage) -> dict[str, Any]:
    cost = usage.cost_usd(call)
    return asdict(call) | {"cost_usd": None if cost is None else str(cost)}
