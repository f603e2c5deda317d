"""Whether a worker answers through the broker."""

from uuid import uuid4

from celery import Celery
from celery.app.control import Control, Mailbox  # type: ignore[attr-defined]  # celery's types do not know it
from kombu.exceptions import OperationalError

PING_SECONDS = 0.5


class _OwnReplies(Mailbox):  # type: ignore[misc]  # celery's types do not know it
    """Has a queue of replies for itself alone.

    Celery names that queue by the object's address, which the next object may have again. A reply that came too late for one ping would then
    be read by the next in place of its own, and so on for ever: a slow start would never be over.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._own = uuid4().hex

    @property
    def oid(self) -> str:
        """Return the name of its queue."""
        return self._own


class _Control(Control):
    Mailbox = _OwnReplies


def why_worker_is_silent(broker_url: str, node: str) -> str | None:
    """Return None when the worker answers a ping through the broker, else why not."""
    with Celery("ping", broker=broker_url, control=_Control, set_as_current=False) as app:
        try:
            replies = app.control.ping(destination=[node], timeout=PING_SECONDS)
        except OperationalError as error:
            return f"the broker does not answer: {error}"
    return None if replies else f"{node} does not answer a ping"
