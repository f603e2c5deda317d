"""Lesson evidence: what was tried, here or in incidents like this one, and who turned out not to be the cause."""

from collections.abc import Sequence

from copilot.evidence.bundle import Evidence, Kind, Role
from incidents.models import Incident, Lesson
from incidents.telemetry.datamodel import Window

LOOKED_AT = 200  # lessons
# What did harm is told first: it is the one that must not be tried again.
_ORDER = (Lesson.Kind.WORSE, Lesson.Kind.NO_HELP, Lesson.Kind.RULED_OUT, Lesson.Kind.FIXED)
_ROLES = {
    Lesson.Kind.WORSE: Role.FAILED,
    Lesson.Kind.NO_HELP: Role.FAILED,
    Lesson.Kind.RULED_OUT: Role.AGAINST,
    Lesson.Kind.FIXED: Role.REMEDY,
}
_ENDED = {
    Lesson.Kind.WORSE: "made it worse",
    Lesson.Kind.NO_HELP: "did not help",
    Lesson.Kind.FIXED: "fixed it",
}


def told(incidents: Sequence[Incident], *, limit: int) -> list[Lesson]:
    """Return what people recorded in these incidents: the first incident's own first, then what did harm before what helped.

    What checks by code refuted elsewhere is not passed on: it held for the evidence of that incident alone.
    """
    place = {incident.pk: position for position, incident in enumerate(incidents)}
    found = Lesson.objects.filter(incident__in=list(place)).exclude(told_by="").select_related("incident")[:LOOKED_AT]
    own = incidents[0].pk
    ordered = sorted(
        found, key=lambda one: (one.incident_id != own, _ORDER.index(Lesson.Kind(one.kind)), place[one.incident_id])
    )
    return ordered[:limit]


def from_lesson(lesson: Lesson, *, is_own: bool, window: Window) -> Evidence:
    """Return the item that shows a lesson; `is_own` says that it is of the incident itself."""
    kind = Lesson.Kind(lesson.kind)
    when = f"{lesson.told_at:%-d %B %Y} at {lesson.told_at:%H:%M} UTC" if is_own else f"{lesson.told_at:%-d %B %Y}"
    where = "here" if is_own else f"in {lesson.incident.reference}"
    at = f" at {lesson.service}" if lesson.service else ""
    if kind is Lesson.Kind.RULED_OUT:
        statement = f"{lesson.service or 'A suspect'} was ruled out as the cause on {when} {where}: {lesson.text}."
        title = f"Ruled out before: {lesson.service}"
    else:
        statement = f"Tried on {when} {where}{at}: “{lesson.text}”; it {_ENDED[kind]}."
        title = f"Tried{at}: {_ENDED[kind]}"
    return Evidence(
        id="",
        kind=Kind.PRECEDENT,
        role=_ROLES[kind],
        service=lesson.service,
        title=title,
        statement=statement,
        start=window.start,
        end=window.end,
        excerpt=(lesson.text,),
        query="lessons of this incident and of those like it",
        backend="incident records",
        detail={"incident": lesson.incident_id, "title": lesson.incident.title, "kind": lesson.kind},
    )
