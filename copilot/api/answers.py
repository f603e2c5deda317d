"""What the co-pilot says of an incident: its brief, evidence and chat; and what is told to others: briefs for people, status updates."""

from datetime import datetime
from typing import Any, Literal

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status

from copilot import handover
from copilot.answers import questions
from copilot.answers.claims import CheckedClaim
from copilot.api.access import READ, RESPOND, UNMASK, incident_of, person
from copilot.api.paging import Paging, answer, page
from copilot.api.problems import Problem
from copilot.api.shapes import REFUSALS, PageShape, ProblemShape
from copilot.known import Known, known_of
from copilot.models import Claim, Message
from copilot.privacy import vault
from copilot.privacy.pseudonyms import HidingFailed
from incidents import teamwork
from incidents.models import StatusUpdate

router = Router(tags=["answers and briefs"])


class ClaimShape(Schema):
    """One checked sentence."""

    text: str
    cites: list[str] = Field(description="ids of evidence")
    verdict: str = Field(description="supported, unverified or struck")
    reason: str
    by_model: bool


class EvidenceShape(Schema):
    """One item of evidence. Personal data and secrets are tokens in it."""

    id: str
    kind: str
    service: str
    title: str
    statement: str
    start: datetime
    end: datetime
    query: str
    backend: str


class BriefShape(Schema):
    """What is known of an incident. `state` is that of the investigation; what an earlier one found stays until it ends."""

    state: str
    gathered_at: datetime | None
    claims: list[ClaimShape]
    evidence: list[EvidenceShape]
    next_check: str


class MessageShape(Schema):
    """A question, a message to a colleague, or an answer of the co-pilot."""

    id: int
    author: str | None = Field(description="null for the co-pilot")
    question: int | None = Field(description="of an answer: what it answers")
    reply_to: int | None
    state: str
    text: str
    claims: list[ClaimShape]
    failure: str
    created_at: datetime
    finished_at: datetime | None


class QuestionBody(Schema):
    """A question, or with @name at its beginning a message to somebody."""

    text: str = Field(min_length=1, max_length=1000)
    reply_to: int | None = None


class UnmaskBody(Schema):
    """A token in an incident's evidence or answers, and why somebody needs to see what it stands for."""

    token: str = Field(max_length=20, description="for example ‹ip-1›, with or without the marks around it")
    reason: str = Field(max_length=vault.LONGEST_REASON, description="kept in the audit log")


class UnmaskedShape(Schema):
    """What a token stands for. It is kept nowhere: an answer repeated by its Idempotency-Key has null."""

    stands_for: str | None


class WrittenShape(Schema):
    """A brief to read out or send, as it is at this moment."""

    kind: str
    text: str
    written_at: datetime


class UpdateShape(Schema):
    """A status update that was published."""

    id: int
    text: str
    published_at: datetime | None
    published_by: str


class UpdateBody(Schema):
    """A status update to publish."""

    text: str = Field(min_length=1, max_length=10_000)
    checked: bool = Field(False, description="publish it though the program doubts something in it")


@router.get("/incidents/{int:number}/brief", auth=READ, response={200: BriefShape, REFUSALS: ProblemShape})
def get_brief(request: HttpRequest, number: int) -> Any:
    """Read the brief with its evidence: what happened, the likely cause, what was ruled out, what to do."""
    known = known_of(incident_of(request, number))
    brief, bundle = known.brief, known.bundle
    return BriefShape(
        state=known.investigation.state if known.investigation else "waiting",
        gathered_at=bundle.gathered_at if bundle else None,
        claims=[_claim(claim) for claim in brief.claims()] if brief else [],
        evidence=[
            EvidenceShape(**{name: getattr(item, name) for name in EvidenceShape.model_fields}) for item in bundle.items
        ]
        if bundle
        else [],
        next_check=bundle.next_check if bundle else "",
    )


@router.get(
    "/incidents/{int:number}/messages", auth=READ, response={200: PageShape[MessageShape], REFUSALS: ProblemShape}
)
def list_messages(request: HttpRequest, number: int, paging: Query[Paging]) -> Any:
    """List the chat with every answer's checked sentences, the newest first."""
    found = incident_of(request, number).messages.select_related("author").prefetch_related("claims")
    return answer(page(request, found, paging, newest_by="created_at"), _message)


@router.post("/incidents/{int:number}/messages", auth=RESPOND, response={201: MessageShape, REFUSALS: ProblemShape})
def ask(request: HttpRequest, number: int, body: QuestionBody) -> Any:
    """Ask something. The answer comes as a message whose `question` is this one; read it until its state is done."""
    incident_of(request, number)
    try:
        taken = questions.ask(number, text=body.text, user=person(request), reply_to=body.reply_to, now=timezone.now())
    except questions.QuestionRefused as error:
        raise Problem(409, str(error)) from error
    return Status(201, _message(taken))


@router.get("/incidents/{int:number}/briefs/{kind}", auth=READ, response={200: WrittenShape, REFUSALS: ProblemShape})
def write_brief(request: HttpRequest, number: int, kind: Literal["read-in", "handover", "update"]) -> Any:
    """Have a brief written: for who joins, for the next shift, or the draft of an update for stakeholders."""
    now = timezone.now()
    subject = _subject(known_of(incident_of(request, number)))
    write = {"read-in": handover.read_in, "handover": handover.handover, "update": handover.stakeholder_draft}[kind]
    return WrittenShape(kind=kind, text=write(subject, now=now), written_at=now)


@router.get(
    "/incidents/{int:number}/updates", auth=READ, response={200: PageShape[UpdateShape], REFUSALS: ProblemShape}
)
def list_updates(request: HttpRequest, number: int, paging: Query[Paging]) -> Any:
    """List what stakeholders were told, the latest first."""
    found = incident_of(request, number).status_updates.exclude(published_at=None)
    return answer(page(request, found, paging, newest_by="drafted_at"), _update)


@router.post("/incidents/{int:number}/updates", auth=RESPOND, response={201: UpdateShape, REFUSALS: ProblemShape})
def publish_update(request: HttpRequest, number: int, body: UpdateBody) -> Any:
    """Publish a status update: into the timeline and to who follows. What cannot be found in the evidence is refused unless `checked`."""
    incident, now = incident_of(request, number), timezone.now()
    doubts = handover.doubts(body.text, _subject(known_of(incident)), now=now)
    if doubts and not body.checked:
        raise Problem(409, " ".join(("Check this, and send it again with `checked`:", *doubts)))
    made = teamwork.publish_update(incident, text=body.text.strip(), by=person(request).get_username(), now=now)
    return Status(201, _update(made))


@router.get(
    "/incidents/{int:number}/messages/{int:message_id}",
    auth=READ,
    response={200: MessageShape, REFUSALS: ProblemShape},
)
def get_message(request: HttpRequest, number: int, message_id: int) -> Any:
    """Read one message, for example an answer that is being written."""
    found = incident_of(request, number).messages.select_related("author").prefetch_related("claims")
    message = found.filter(pk=message_id).first()
    if message is None:
        raise Http404(f"Incident {number} has no message {message_id}.")
    return _message(message)


@router.post("/incidents/{int:number}/unmask", auth=UNMASK, response={200: UnmaskedShape, REFUSALS: ProblemShape})
def unmask(request: HttpRequest, number: int, body: UnmaskBody) -> Any:
    """See what a token stands for. Who looked at which token of which incident, when and why goes into the audit log."""
    incident = incident_of(request, number)
    try:
        value = vault.unmask(incident.pk, token=body.token, reason=body.reason, by=person(request), now=timezone.now())
    except vault.UnknownPseudonym as error:
        raise Problem(404, str(error)) from error
    except vault.UnmaskingRefused as error:
        raise Problem(422, str(error)) from error
    except HidingFailed as error:
        raise Problem(503, str(error)) from error
    return UnmaskedShape(stands_for=value)


def _subject(known: Known) -> handover.Subject:
    return handover.Subject(known.incident, known.bundle, known.brief)


def _message(message: Message) -> MessageShape:
    return MessageShape(
        id=message.pk,
        author=message.author.get_username() if message.author else None,
        question=message.question_id,
        reply_to=message.reply_to_id,
        state=message.state,
        text=message.text,
        claims=[_claim(claim) for claim in message.claims.all()],
        failure=message.failure,
        created_at=message.created_at,
        finished_at=message.finished_at,
    )


def _claim(claim: Claim | CheckedClaim) -> ClaimShape:
    return ClaimShape(
        text=claim.text,
        cites=list(claim.cites),
        verdict=str(claim.verdict),
        reason=claim.reason,
        by_model=claim.by_model,
    )


def _update(update: StatusUpdate) -> UpdateShape:
    return UpdateShape(
        id=update.pk, text=update.text, published_at=update.published_at, published_by=update.published_by
    )
