"""Why a model gave no full reply, in a sentence for the person who waits for it."""

from datetime import timedelta

from copilot.llm.timed_stream import StreamTimeout
from copilot.llm.usage import CallUsage


class ModelFailed(Exception):
    """There is no full reply. `temporary`: the same call may work later, `retry_after` says when if the provider did.

    `retry_allowed` is false when the model has failed so often lately that the retry budget is used up (see `breaker`).
    `text` is what came before the failure and `usage` what the call took; both are set by the model. `before` are the calls of
    models that were asked earlier and failed.
    """

    temporary = False

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.retry_allowed = True
        self.text = ""
        self.usage: CallUsage | None = None
        self.before: tuple[CallUsage, ...] = ()


class ModelUnreachable(ModelFailed):
    """Nobody answers at that address, or the provider says that it is broken."""

    temporary = True


class ModelBusy(ModelFailed):
    """The provider asks to come back later."""

    temporary = True


class ModelTimedOut(ModelFailed):
    """The reply did not come in time."""


class ModelRefused(ModelFailed):
    """The provider refuses: key, permission, unknown model, bad request. Trying again changes nothing."""


class StreamCut(ModelFailed):
    """The reply ended in the middle, or was no reply."""

    temporary = True


class CallEnded(ModelFailed):
    """Whoever asked wants no more of the reply; it says nothing about the model."""


def explain_timeout(timeout: StreamTimeout, *, where: str) -> ModelTimedOut:
    """Return the failure for a time-out, naming the setting that holds the limit."""
    seconds = f"{timeout.waited.total_seconds():g} s"
    said = {
        "first": f"{where} sent no text within {seconds} (COPILOT_LLM_FIRST_TOKEN_SECONDS).",
        "idle": f"{where} stopped sending for {seconds} (COPILOT_LLM_IDLE_SECONDS).",
        "total": f"{where} needed more than {seconds} in all (COPILOT_LLM_TOTAL_SECONDS).",
    }
    return ModelTimedOut(said[timeout.stage])


def explain_status(code: int, *, where: str, detail: str, retry_after: timedelta | None) -> ModelFailed:
    """Return the failure for an HTTP status."""
    if code == 401:
        return ModelRefused(f"{where} refused the key (status 401). Set a valid one, then restart the workers.")
    if code == 403:
        return ModelRefused(f"{where} does not allow this key to use this model (status 403).")
    if code == 404:
        return ModelRefused(f"{where} does not know this model (status 404): correct COPILOT_LLM. {detail}".strip())
    if code == 429:
        wait = f" It asks to wait {retry_after.total_seconds():g} s." if retry_after else ""
        return ModelBusy(
            f"{where} has too many requests or no credit left (status 429).{wait}", retry_after=retry_after
        )
    if code >= 500:
        return ModelUnreachable(f"{where} failed by itself (status {code}).", retry_after=retry_after)
    return ModelRefused(f"{where} refused the request (status {code}). {detail}".strip())
