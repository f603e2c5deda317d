"""Work on an incident: its timeline, notes, tasks, roles, and the decisions that put it together."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from copilot import events
from copilot.api.access import READ, RESPOND, incident_of, person
from copilot.api.incidents import shown as incident_shown
from copilot.api.incidents import user_named
from copilot.api.paging import Paging, answer, page
from copilot.api.shapes import (
    REFUSALS,
    DecisionShape,
    IncidentShape,
    NoteBody,
    PageShape,
    ProblemShape,
    RoleBody,
    RoleShape,
    TaskBody,
    TaskChange,
    TaskShape,
    TimelineShape,
)
from incidents import lifecycle, teamwork
from incidents.models import GroupingDecision, IncidentRole, IncidentTask, TimelineEntry

router = Router(tags=["work on an incident"])


@router.get(
    "/incidents/{int:number}/timeline", auth=READ, response={200: PageShape[TimelineShape], REFUSALS: ProblemShape}
)
def list_timeline(request: HttpRequest, number: int, paging: Query[Paging]) -> Any:
    """List what happened, the latest first."""
    found = incident_of(request, number).timeline.all()
    return answer(page(request, found, paging, newest_by="happened_at"), _entry)


@router.post("/incidents/{int:number}/notes", auth=RESPOND, response={201: TimelineShape, REFUSALS: ProblemShape})
def add_note(request: HttpRequest, number: int, body: NoteBody) -> Any:
    """Write a note into the timeline."""
    incident, now = incident_of(request, number), timezone.now()
    if not body.text.strip():
        raise lifecycle.NotPossible("The note is empty: write what you saw or did.")
    with transaction.atomic():
        entry = lifecycle.add_note(incident, text=body.text, by=person(request).get_username(), now=now)
        events.publish(incident_id=number, kind="timeline.added", payload={})
    return Status(201, _entry(entry))


@router.get("/incidents/{int:number}/tasks", auth=READ, response={200: PageShape[TaskShape], REFUSALS: ProblemShape})
def list_tasks(request: HttpRequest, number: int, paging: Query[Paging]) -> Any:
    """List what is to be done and what was done, the latest first."""
    found = incident_of(request, number).tasks.select_related("assignee")
    return answer(page(request, found, paging, newest_by="created_at"), _task)


@router.post("/incidents/{int:number}/tasks", auth=RESPOND, response={201: TaskShape, REFUSALS: ProblemShape})
def add_task(request: HttpRequest, number: int, body: TaskBody) -> Any:
    """Write down what is to be done."""
    task = teamwork.add_task(
        incident_of(request, number),
        text=body.text,
        by=person(request).get_username(),
        now=timezone.now(),
        assignee=user_named(body.assignee) if body.assignee else None,
        is_follow_up=body.is_follow_up,
    )
    return Status(201, _task(task))


@router.patch(
    "/incidents/{int:number}/tasks/{int:task_id}", auth=RESPOND, response={200: TaskShape, REFUSALS: ProblemShape}
)
def change_task(request: HttpRequest, number: int, task_id: int, change: TaskChange) -> Any:
    """Tick a task off, or give it to somebody."""
    task = incident_of(request, number).tasks.filter(pk=task_id).first()
    if task is None:
        raise Http404(f"Incident {number} has no task {task_id}.")
    by, now = person(request).get_username(), timezone.now()
    with transaction.atomic():
        if change.done is not None:
            teamwork.finish_task(task, by=by, now=now, done=change.done)
        if change.assignee is not None:
            somebody = user_named(change.assignee) if change.assignee else None
            teamwork.assign_task(task, assignee=somebody, by=by, now=now)
    return _task(IncidentTask.objects.select_related("assignee").get(pk=task_id))


@router.get("/incidents/{int:number}/roles", auth=READ, response={200: PageShape[RoleShape], REFUSALS: ProblemShape})
def list_roles(request: HttpRequest, number: int, paging: Query[Paging]) -> Any:
    """List who has and had which part, the latest first."""
    found = incident_of(request, number).roles.select_related("user")
    return answer(page(request, found, paging, newest_by="since_at"), _role)


@router.post("/incidents/{int:number}/roles", auth=RESPOND, response={201: RoleShape, REFUSALS: ProblemShape})
def take_role(request: HttpRequest, number: int, body: RoleBody) -> Any:
    """Give somebody a part; whoever held it hands over."""
    taken = teamwork.take_role(
        incident_of(request, number),
        role=body.role,
        user=user_named(body.user),
        by=person(request).get_username(),
        now=timezone.now(),
    )
    return Status(201, _role(taken))


@router.delete(
    "/incidents/{int:number}/roles/{role}/{user}", auth=RESPOND, response={204: None, REFUSALS: ProblemShape}
)
def leave_role(request: HttpRequest, number: int, role: str, user: str) -> Any:
    """End somebody's part."""
    incident = incident_of(request, number)
    if role not in IncidentRole.Role.values:
        raise lifecycle.NotPossible(f"There is no role {role!r}; there are {', '.join(IncidentRole.Role.values)}.")
    teamwork.leave_role(
        incident, role=role, user=user_named(user), by=person(request).get_username(), now=timezone.now()
    )
    return Status(204, None)


@router.get(
    "/incidents/{int:number}/decisions", auth=READ, response={200: PageShape[DecisionShape], REFUSALS: ProblemShape}
)
def list_decisions(request: HttpRequest, number: int, paging: Query[Paging]) -> Any:
    """List why what belongs to the incident was put there, the latest first."""
    found = incident_of(request, number).grouping_decisions.filter(is_shadow=False)
    return answer(page(request, found, paging, newest_by="decided_at"), _decision)


@router.post(
    "/incidents/{int:number}/decisions/{int:decision_id}/undo",
    auth=RESPOND,
    response={200: IncidentShape, REFUSALS: ProblemShape},
)
def undo_decision(request: HttpRequest, number: int, decision_id: int) -> Any:
    """Take a decision back; what it moved goes to where it was."""
    incident = incident_of(request, number)
    decision = GroupingDecision.objects.filter(pk=decision_id, incident=incident).first()
    if decision is None:
        raise Http404(f"Incident {number} has no decision {decision_id}.")
    with transaction.atomic():
        other = lifecycle.undo(decision, by=person(request).get_username(), now=timezone.now())
        for pk in {incident.pk, other.pk}:
            events.publish(incident_id=pk, kind="incident.changed", payload={})
    return incident_shown(other)


def _entry(entry: TimelineEntry) -> TimelineShape:
    return TimelineShape(
        id=entry.pk,
        kind=entry.kind,
        happened_at=entry.happened_at,
        known_at=entry.known_at,
        text=entry.text,
        actor=entry.actor,
    )


def _task(task: IncidentTask) -> TaskShape:
    return TaskShape(
        id=task.pk,
        text=task.text,
        assignee=task.assignee.get_username() if task.assignee else None,
        is_follow_up=task.is_follow_up,
        created_at=task.created_at,
        created_by=task.created_by,
        done_at=task.done_at,
    )


def _role(role: IncidentRole) -> RoleShape:
    return RoleShape(role=role.role, user=role.user.get_username(), since_at=role.since_at, until_at=role.until_at)


def _decision(decision: GroupingDecision) -> DecisionShape:
    return DecisionShape(
        id=decision.pk,
        subject=decision.subject,
        outcome=decision.outcome,
        sentence=decision.sentence,
        features=decision.features,
        score=decision.score,
        decided_at=decision.decided_at,
        decided_by=decision.decided_by,
        undone_at=decision.undone_at,
    )
