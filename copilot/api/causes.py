"""What an incident taught: its confirmed cause, what was tried and how that went, and who was not to blame."""

from datetime import datetime
from typing import Any, Literal

from django.db import transaction
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status

from copilot import events, learning
from copilot.api.access import READ, RESPOND, incident_of, person
from copilot.api.paging import Paging, answer, page
from copilot.api.replies import require_match
from copilot.api.shapes import REFUSALS, PageShape, ProblemShape
from incidents import lifecycle
from incidents.models import ConfirmedCause, Incident, Lesson

router = Router(tags=["what an incident taught"])


class CauseShape(Schema):
    """What people decided the cause was, beside what the co-pilot had stated until then."""

    service: str = Field(description='"" when no service of ours was at fault')
    family: str = Field(description="what it did: resource, latency, error, code path, traffic, or empty")
    cause: str = Field(description="where that came from, as in the incident's `cause`")
    text: str
    confirmed_at: datetime
    confirmed_by: str
    changed_at: datetime
    stated_service: str
    stated_certainty: str
    stated_chance: float | None = Field(description="localization's chance in [0, 1]; null when nobody was suspected")
    stated_confidence: float | None = Field(description="what the page showed of it, under its limits")


class CauseBody(Schema):
    """What the cause was. Said again, it corrects what was said before."""

    service: str = Field("", max_length=200)
    family: str = Field("", max_length=20)
    cause: str = Field("", max_length=20)
    text: str = Field("", max_length=500)


class LessonShape(Schema):
    """Something that was tried, or a cause that was ruled out."""

    id: int
    kind: str
    service: str
    text: str
    cites: list[str] = Field(description="evidence ids of the incident")
    told_at: datetime
    told_by: str = Field(description='"" when the co-pilot\'s own checks found it')


class LessonBody(Schema):
    """What was tried and how it went, or why a service was not the cause."""

    kind: Literal["fixed", "no help", "worse", "ruled out"]
    text: str = Field(min_length=1, max_length=300)
    service: str = Field("", max_length=200)


@router.get("/incidents/{int:number}/cause", auth=READ, response={200: CauseShape, REFUSALS: ProblemShape})
def get_cause(request: HttpRequest, number: int) -> Any:
    """Read the confirmed cause; 404 while nobody has confirmed one."""
    return _cause(incident_of(request, number))


@router.put("/incidents/{int:number}/cause", auth=RESPOND, response={200: CauseShape, REFUSALS: ProblemShape})
def put_cause(request: HttpRequest, number: int, body: CauseBody) -> Any:
    """Confirm or correct the cause."""
    incident = incident_of(request, number)
    with transaction.atomic():
        if ConfirmedCause.objects.filter(incident=incident).exists():
            require_match(request, lambda: _cause(incident))
        cause = lifecycle.Cause(body.service, body.family, body.cause, body.text)
        learning.confirm(incident, cause=cause, by=person(request).get_username(), now=timezone.now())
        events.publish(incident_id=number, kind="incident.changed", payload={})
    return _cause(incident_of(request, number))


@router.get(
    "/incidents/{int:number}/lessons", auth=READ, response={200: PageShape[LessonShape], REFUSALS: ProblemShape}
)
def list_lessons(request: HttpRequest, number: int, paging: Query[Paging]) -> Any:
    """List what was tried and who was ruled out, the latest first."""
    return answer(page(request, incident_of(request, number).lessons.all(), paging, newest_by="told_at"), _lesson)


@router.post("/incidents/{int:number}/lessons", auth=RESPOND, response={201: LessonShape, REFUSALS: ProblemShape})
def add_lesson(request: HttpRequest, number: int, body: LessonBody) -> Any:
    """Record what was tried, or who was not the cause; the same again changes nothing."""
    incident, by = incident_of(request, number), person(request).get_username()
    with transaction.atomic():
        found = lifecycle.add_lesson(
            incident, kind=body.kind, text=body.text, service=body.service, by=by, now=timezone.now()
        )
        events.publish(incident_id=number, kind="incident.changed", payload={})
    return Status(201, _lesson(found))


@router.patch(
    "/incidents/{int:number}/lessons/{int:lesson_id}", auth=RESPOND, response={200: LessonShape, REFUSALS: ProblemShape}
)
def change_lesson(request: HttpRequest, number: int, lesson_id: int, body: LessonBody) -> Any:
    """Correct what is recorded."""
    found = _found(request, number, lesson_id)
    by = person(request).get_username()
    with transaction.atomic():
        lifecycle.change_lesson(found, kind=body.kind, text=body.text, service=body.service, by=by, now=timezone.now())
        events.publish(incident_id=number, kind="incident.changed", payload={})
    return _lesson(found)


@router.delete(
    "/incidents/{int:number}/lessons/{int:lesson_id}", auth=RESPOND, response={204: None, REFUSALS: ProblemShape}
)
def drop_lesson(request: HttpRequest, number: int, lesson_id: int) -> Any:
    """Take back what is recorded; the timeline keeps that it was."""
    found = _found(request, number, lesson_id)
    with transaction.atomic():
        lifecycle.drop_lesson(found, by=person(request).get_username(), now=timezone.now())
        events.publish(incident_id=number, kind="incident.changed", payload={})
    return Status(204, None)


def _found(request: HttpRequest, number: int, lesson_id: int) -> Lesson:
    incident = incident_of(request, number)
    found = Lesson.objects.select_related("incident").filter(pk=lesson_id, incident=incident).first()
    if found is None:
        raise Http404(f"Incident {number} has no lesson {lesson_id}.")
    return found


def _cause(incident: Incident) -> CauseShape:
    found = ConfirmedCause.objects.filter(incident=incident).select_related("incident").first()
    if found is None:
        raise Http404(f"Nobody has confirmed the cause of {incident.reference} yet.")
    return CauseShape(
        service=found.service,
        family=found.family,
        cause=found.incident.cause,
        text=found.incident.cause_text,
        confirmed_at=found.confirmed_at,
        confirmed_by=found.confirmed_by,
        changed_at=found.changed_at,
        stated_service=found.stated_service,
        stated_certainty=found.stated_certainty,
        stated_chance=found.stated_chance,
        stated_confidence=found.stated_confidence,
    )


def _lesson(lesson: Lesson) -> LessonShape:
    return LessonShape(
        id=lesson.pk,
        kind=lesson.kind,
        service=lesson.service,
        text=lesson.text,
        cites=lesson.cites,
        told_at=lesson.told_at,
        told_by=lesson.told_by,
    )
