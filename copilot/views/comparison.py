"""An answer beside the same answer by other models or prompts, from the same pinned evidence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot.answers import prompting, rerun
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.evidence import bundle as bundles
from copilot.evidence.wording import percent
from copilot.llm import prompts
from copilot.models import Message, Rerun
from copilot.views.access import incident_of, may_respond, may_see
from copilot.views.claims import ShownClaim, shown

_UNFINISHED = (Message.State.WAITING, Message.State.STREAMING)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way in which the answer was written. Numbers are None where nothing was called or is not known."""

    title: str
    prompt: str
    by: str
    is_busy: bool
    failure: str
    claims: tuple[ShownClaim, ...]
    supported: int
    tokens: str
    first_word: float | None
    seconds: float | None
    cost: Decimal | None

    @property
    def share(self) -> int | None:
        """Return the percentage of its sentences that the evidence supports, None without a sentence."""
        return round(100 * self.supported / len(self.claims)) if self.claims else None


@may_see
@require_GET
@never_cache
def comparison_page(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    """Show the answer and every time it was written again."""
    incident = incident_of(request, pk)
    message = _message(pk, message_id)
    bundle = bundles.from_json(message.pinned.bundle) if message.pinned else None
    known = {item.id for item in bundle.items} if bundle else set()
    arms = [_original(message, known), *(_again(each, known) for each in message.reruns.select_related("requested_by"))]
    context = {
        "incident": incident,
        "message": message,
        "leader": (leader := bundle.hypotheses[0] if bundle and bundle.hypotheses else None),
        "chance": percent(leader.confidence) if leader else "",
        "arms": arms,
        "is_busy": any(arm.is_busy for arm in arms),
        "models": rerun.models(),
        "versions": prompts.versions(prompting.PROMPT),
    }
    return render(request, "copilot/comparison.html", context)


@may_respond
@require_POST
def run_again(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    """Have the answer written again; says on the page why not when it cannot be."""
    incident_of(request, pk)
    _message(pk, message_id)
    try:
        rerun.request(
            message_id,
            model=request.POST.get("model", ""),
            prompt_version=request.POST.get("prompt", ""),
            user=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
    except rerun.RerunRefused as refused:
        messages.error(request, str(refused))
    return redirect("comparison", pk=pk, message_id=message_id)


def _message(pk: int, message_id: int) -> Message:
    found = Message.objects.select_related("question", "pinned").filter(
        pk=message_id, incident_id=pk, from_copilot=True
    )
    message = found.first()
    if message is None:
        raise Http404(f"INC-{pk} has no answer {message_id}.")
    return message


def _original(message: Message, known: Collection[str]) -> Arm:
    rows = list(message.claims.all())
    claims = [CheckedClaim(row.text, tuple(row.cites), Verdict(row.verdict), row.reason) for row in rows]
    fields = ("model", "prompt_version", "prompt_tokens", "cached_tokens", "output_tokens", "first_token_seconds",
              "seconds", "cost_usd")  # fmt: skip
    calls = list(message.model_calls.order_by("pk").values(*fields))
    took = (message.finished_at - message.created_at).total_seconds() if message.finished_at else None
    seconds = sum(call["seconds"] for call in calls) if calls else took
    return _arm(claims, calls, known, by="the answer as it was given", seconds=seconds, failure=message.failure)


def _again(row: Rerun, known: Collection[str]) -> Arm:
    claims = [
        CheckedClaim(each["text"], tuple(each["cites"]), Verdict(each["verdict"]), each["reason"])
        for each in row.claims
    ]
    asked_by = row.requested_by.get_username() if row.requested_by else "somebody"
    arm = _arm(claims, row.calls, known, by=f"asked for by {asked_by}", seconds=row.seconds, failure=row.failure)
    if not row.calls:  # not yet, or nobody was asked
        arm = replace(arm, title=rerun.models().get(row.model, row.model), prompt=row.prompt_version)
    return replace(arm, is_busy=row.state in _UNFINISHED)


def _arm(
    claims: Sequence[CheckedClaim],
    calls: Sequence[Mapping[str, Any]],
    known: Collection[str],
    *,
    by: str,
    seconds: float | None,
    failure: str,
) -> Arm:
    prompt, cached, output = (
        sum(call[name] for call in calls) for name in ("prompt_tokens", "cached_tokens", "output_tokens")
    )
    costs = [call["cost_usd"] for call in calls]
    firsts = [call["first_token_seconds"] for call in calls if call["first_token_seconds"] is not None]
    return Arm(
        title=calls[-1]["model"] if calls else "code alone",
        prompt=calls[-1]["prompt_version"] if calls else "",
        by=by,
        is_busy=False,
        failure=failure,
        claims=shown(claims, known=known),
        supported=sum(claim.verdict is Verdict.SUPPORTED for claim in claims),
        tokens=f"{prompt:,} in ({cached:,} cached), {output:,} out" if calls else "none",
        first_word=firsts[0] if firsts else None,
        seconds=seconds,
        cost=None if None in costs else sum((Decimal(cost) for cost in costs), Decimal(0)),
    )
