"""Celery tasks: each makes one call into the domain, with ids as arguments and the clock read here. All are safe to run twice."""

from threading import Timer

from celery import current_app, shared_task
from celery.signals import worker_process_init
from django.utils import timezone

from copilot import events, learning, pipeline
from copilot.answers import line, questions, rerun
from copilot.evidence.attached import rows
from copilot.llm import capabilities
from copilot.llm import chat_model as chat_models

CLIENT_LOADED_AFTER_SECONDS = 10  # when the site is up: everything that starts needs the cores before


@worker_process_init.connect
def load_chat_model(**_: object) -> None:
    """Import the language model's client in each process that answers soon after its start, so that the first answer does not wait for it."""
    if line.QUEUE not in current_app.amqp.queues.consume_from:
        return
    load_soon()


def load_soon() -> None:
    """Import the language model's client in this process in a moment."""
    loading = Timer(CLIENT_LOADED_AFTER_SECONDS, chat_models.load)
    loading.daemon = True
    loading.start()


@shared_task(name="copilot.tasks.investigate")
def investigate(incident_id: int) -> None:
    """Explain an incident: its evidence and its brief."""
    pipeline.investigate(incident_id, now=timezone.now())


@shared_task(name="copilot.tasks.read_attachments")
def read_attachments(incident_id: int) -> None:
    """Add what an incident's attached files show to its evidence."""
    rows.pin(incident_id, now=timezone.now())


@shared_task(name="copilot.tasks.announce")
def announce(incident_id: int) -> None:
    """Tell open pages that detection has changed an incident or its timeline."""
    events.publish(incident_id=incident_id, kind="incident.changed", payload={})


@shared_task(name="copilot.tasks.ring")
def ring(user_ids: list[int]) -> None:
    """Tell open pages of these people that there is something to read."""
    events.ring(user_ids)


@shared_task(name="copilot.tasks.warm")
def warm(incident_id: int) -> None:
    """Ask for the first explanation; it has the model read the evidence, which stays in its cache, so that follow-up questions start at once."""
    questions.explain_in_turn(incident_id, now=timezone.now())


@shared_task(name="copilot.tasks.learn")
def learn(incident_id: int) -> None:
    """Draft what a resolved incident teaches."""
    if learning.learn(incident_id, now=timezone.now()).drafts:
        events.publish(incident_id=incident_id, kind="incident.changed", payload={})


@shared_task(name="copilot.tasks.answer")
def answer(message_id: int) -> None:
    """Write an answer that waits."""
    model = questions.model_for(message_id, clock=timezone.now)
    questions.answer(message_id, chat_model=model, now=timezone.now())
    line.release(now=timezone.now())


@shared_task(name="copilot.tasks.write_again")
def write_again(rerun_id: int) -> None:
    """Write an answer again with another model or prompt."""
    rerun.run(rerun_id, clock=timezone.now)


@shared_task(name="copilot.tasks.probe_models")
def probe_models() -> None:
    """Find out what the configured models can do, where that is not known or a day old."""
    capabilities.probe_due(now=timezone.now())


@shared_task(name="copilot.tasks.reclaim_expired")
def reclaim_expired() -> None:
    """Ask again for work whose worker died or whose retry is due, and for a new look at incidents that have grown."""
    now = timezone.now()
    pipeline.reclaim_expired(now=now)
    pipeline.look_again(now=now)
    questions.reclaim_expired(now=now)
    line.release(now=now)
    rerun.give_up_stuck(now=now)
