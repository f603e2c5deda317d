"""What the program gave up on, started anew because a person says so."""

from datetime import datetime

from copilot import operations, pipeline
from copilot.answers import questions
from incidents.models import DeadLetter


def try_again(letter_id: int, *, now: datetime) -> DeadLetter:
    """Start a dead letter's work anew, once however often it is asked. Raises operations.NotThere.

    What keeps its state in a row of its own starts from there; the rest is simply asked for again.
    """
    letter = operations.take_up_again(letter_id, now=now)
    number = next(iter(letter.arguments), 0)
    if letter.task == "copilot.tasks.investigate":
        pipeline.request_again(number, now=now)
    elif letter.task == "copilot.tasks.answer":
        questions.retry(number, now=now)
    else:
        operations.enqueue_again(letter)
    return letter
