"""An answer that is being written: what it has looked at, a word to steer it, and an end to it."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Router, Schema, Status

from copilot.answers import steering
from copilot.answers.investigation.describe import described
from copilot.api.access import READ, RESPOND, incident_of, person
from copilot.api.problems import Problem
from copilot.api.shapes import REFUSALS, ProblemShape
from copilot.models import InvestigationStep, Message, Steering

router = Router(tags=["answers and briefs"])


class StepShape(Schema):
    """One thing that was looked up for an answer. Tokens and cost are those of the model's turn that asked, null where it reported none."""

    number: int
    turn: int = Field(description="steps of one turn ran at the same time")
    plan: str
    tool: str
    arguments: dict[str, Any]
    said: str
    state: str
    reason: str
    evidence: list[str]
    line_count: int
    seconds: float
    prompt_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    started_at: datetime


class SteerBody(Schema):
    """What to look at next."""

    text: str = Field(min_length=1, max_length=steering.LONGEST)


class SaidShape(Schema):
    """What was said to an answer; `text` is empty for an end."""

    author: str
    text: str
    at: datetime


@router.get(
    "/incidents/{int:number}/messages/{int:message_id}/steps",
    auth=READ,
    response={200: list[StepShape], REFUSALS: ProblemShape},
)
def list_steps(request: HttpRequest, number: int, message_id: int) -> Any:
    """Read what an answer has looked at, in order; at most a few dozen steps."""
    return [_step(row) for row in _answer(request, number, message_id).steps.select_related("call")]


@router.post(
    "/incidents/{int:number}/messages/{int:message_id}/steer",
    auth=RESPOND,
    response={201: SaidShape, REFUSALS: ProblemShape},
)
def steer(request: HttpRequest, number: int, message_id: int, body: SteerBody) -> Any:
    """Have the next turn of an answer that is being investigated heed some words."""
    message = _answer(request, number, message_id)
    try:
        said = steering.steer(message.pk, text=body.text, user=person(request), now=timezone.now())
    except steering.SteeringRefused as error:
        raise Problem(409, str(error)) from error
    return Status(201, _said(said))


@router.post(
    "/incidents/{int:number}/messages/{int:message_id}/stop",
    auth=RESPOND,
    response={201: SaidShape, REFUSALS: ProblemShape},
)
def stop(request: HttpRequest, number: int, message_id: int) -> Any:
    """End an answer that is being written with what it has; it is marked as cut short."""
    message = _answer(request, number, message_id)
    try:
        said = steering.stop(message.pk, user=person(request), now=timezone.now())
    except steering.SteeringRefused as error:
        raise Problem(409, str(error)) from error
    return Status(201, _said(said))


def _answer(request: HttpRequest, number: int, message_id: int) -> Message:
    found = incident_of(request, number).messages.filter(pk=message_id, from_copilot=True).first()
    if found is None:
        raise Http404(f"Incident {number} has no answer {message_id}.")
    return found


def _step(row: InvestigationStep) -> StepShape:
    call = row.call
    return StepShape(
        number=row.number,
        turn=row.turn,
        plan=row.plan,
        tool=row.tool,
        arguments=row.arguments,
        said=described(row.tool, row.arguments),
        state=row.state,
        reason=row.reason,
        evidence=row.evidence,
        line_count=row.lines.count("\n") + 1 if row.lines else 0,
        seconds=row.seconds,
        prompt_tokens=call.prompt_tokens if call else None,
        output_tokens=call.output_tokens if call else None,
        cost_usd=float(call.cost_usd) if call and call.cost_usd is not None else None,
        started_at=row.started_at,
    )


def _said(said: Steering) -> SaidShape:
    return SaidShape(author=said.author.get_username() if said.author else "", text=said.text, at=said.at)
