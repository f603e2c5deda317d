"""What people learned from an incident: the confirmed cause, what fixed it, what did not, what made it worse, who was not to blame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from incidents.intake.masking import mask
from incidents.lifecycle.details import NotPossible, set_cause
from incidents.lifecycle.timeline import Kind, announce, draft_lessons, write
from incidents.models import ConfirmedCause, Incident, Lesson

SERVICE_LENGTH, LESSON_LENGTH = 200, 300
_OVER = (Incident.Status.RESOLVED, Incident.Status.CLOSED)
MOST_LESSONS = 50  # of an incident


@dataclass(frozen=True, slots=True)
class Cause:
    """Where the fault was ("" for no service of ours), its family, the kind of cause, and words on it."""

    service: str = ""
    family: str = ""
    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Stated:
    """What the co-pilot said of the leading suspect: its name, the verdict, localization's chance, and the confidence shown; in [0, 1]."""

    service: str
    certainty: str
    chance: float
    confidence: float


def confirm_cause(incident: Incident, *, cause: Cause, stated: Stated | None, by: str, now: datetime) -> ConfirmedCause:
    """Record or correct what the cause was. `stated` is kept only the first time. Raises NotPossible for a family or kind that does not exist."""
    if cause.family not in ConfirmedCause.Family.values:
        allowed = ", ".join(value for value in ConfirmedCause.Family.values if value)
        raise NotPossible(f"Kind of fault {cause.family!r} does not exist; there are {allowed}, or nothing.")
    service = cause.service.strip()[:SERVICE_LENGTH]
    with transaction.atomic():
        # Of two people at once the second waits, and corrects what the first one said.
        Incident.objects.select_for_update().get(pk=incident.pk)
        before = ConfirmedCause.objects.filter(incident=incident).first()
        set_cause(incident, cause=cause.kind, text=mask(cause.text), by=by, now=now)
        if before and (before.service, before.family) == (service, cause.family):
            return before
        pinned = _pinned(stated) if before is None else {}
        found, _ = ConfirmedCause.objects.update_or_create(
            incident=incident,
            defaults={"service": service, "family": cause.family, "changed_at": now},
            create_defaults={
                "service": service,
                "family": cause.family,
                "changed_at": now,
                "confirmed_at": now,
                "confirmed_by": by[:150],
                **pinned,
            },
        )
        # Whoever turned out to be it is not ruled out, whatever a check said.
        incident.lessons.filter(kind=Lesson.Kind.RULED_OUT, service=service, told_by="").delete()
        family = f", {found.get_family_display().lower()}" if found.family else ""
        said = f"Cause {'corrected' if before else 'confirmed'} by {by}: {service or 'no service of ours'}{family}"
        write(incident, kind=Kind.PERSON, at=now, text=said, actor=by, now=now)
        announce(incident)
        if incident.status in _OVER:
            draft_lessons(incident)
    return found


def _pinned(stated: Stated | None) -> dict[str, object]:
    if stated is None:
        return {}
    return {
        "stated_service": stated.service[:SERVICE_LENGTH],
        "stated_certainty": stated.certainty,
        "stated_chance": stated.chance,
        "stated_confidence": stated.confidence,
    }


def add_lesson(
    incident: Incident,
    *,
    kind: str,
    text: str,
    by: str,
    now: datetime,
    service: str = "",
) -> Lesson:
    """Record what was tried and how it went, or who was not the cause. Saying the same again changes nothing. Raises NotPossible."""
    words = _words(kind, text)
    where = service.strip()[:SERVICE_LENGTH]
    with transaction.atomic():
        Incident.objects.select_for_update().get(pk=incident.pk)
        if incident.lessons.count() >= MOST_LESSONS:
            raise NotPossible(
                f"{incident.reference} has {MOST_LESSONS} of these already: change one, or take one away."
            )
        lesson, is_new = Lesson.objects.get_or_create(
            incident=incident,
            kind=kind,
            service=where,
            text=words,
            defaults={"told_at": now, "told_by": by[:150]},
        )
        if is_new:
            write(incident, kind=Kind.PERSON, at=now, text=said_of(lesson), actor=by, now=now)
            announce(incident)
            if incident.status in _OVER:
                draft_lessons(incident)
    return lesson


def change_lesson(lesson: Lesson, *, kind: str, text: str, service: str, by: str, now: datetime) -> Lesson:
    """Correct what is recorded. Raises NotPossible, also when it then says what another one says already."""
    words, where = _words(kind, text), service.strip()[:SERVICE_LENGTH]
    if (lesson.kind, lesson.text, lesson.service) == (kind, words, where):
        return lesson
    lesson.kind, lesson.text, lesson.service, lesson.told_by = kind, words, where, by[:150]
    try:
        with transaction.atomic():
            lesson.save(update_fields=["kind", "text", "service", "told_by"])
            text = f"Corrected by {by}: {said_of(lesson)}"
            write(lesson.incident, kind=Kind.PERSON, at=now, text=text, actor=by, now=now)
            announce(lesson.incident)
    except IntegrityError as error:
        raise NotPossible("The same is recorded already.") from error
    return lesson


def drop_lesson(lesson: Lesson, *, by: str, now: datetime) -> None:
    """Take back what was recorded; the timeline keeps that it was."""
    with transaction.atomic():
        said = said_of(lesson)
        if Lesson.objects.filter(pk=lesson.pk).delete()[0]:
            text = f"Taken back by {by}: {said}"
            write(lesson.incident, kind=Kind.PERSON, at=now, text=text, actor=by, now=now)
            announce(lesson.incident)


def note_refuted(incident: Incident, *, found: Iterable[tuple[str, str, Sequence[str]]], now: datetime) -> None:
    """Keep whom the newest look refuted: service, why, evidence ids; what an earlier look had refuted and this one does not goes."""
    confirmed = ConfirmedCause.objects.filter(incident=incident).values_list("service", flat=True).first()
    wanted = {(service, why[:LESSON_LENGTH]): list(cites)[:5] for service, why, cites in found if service != confirmed}
    with transaction.atomic():
        own = incident.lessons.filter(kind=Lesson.Kind.RULED_OUT, told_by="")
        for lesson in own:
            if (lesson.service, lesson.text) not in wanted:
                lesson.delete()
        for (service, why), cites in wanted.items():
            Lesson.objects.get_or_create(
                incident=incident,
                kind=Lesson.Kind.RULED_OUT,
                service=service,
                text=why,
                defaults={"told_at": now, "cites": cites},
            )


def said_of(lesson: Lesson) -> str:
    """Return the lesson as the timeline says it."""
    where = f" at {lesson.service}" if lesson.service else ""
    if lesson.kind == Lesson.Kind.RULED_OUT:
        return f"Not the cause: {lesson.service or 'what was suspected'}. {lesson.text}"
    return f"Tried{where}: {lesson.text}. {lesson.get_kind_display()}"


def _words(kind: str, text: str) -> str:
    if kind not in Lesson.Kind.values:
        raise NotPossible(f"How it went: {kind!r} does not exist; there are {', '.join(Lesson.Kind.values)}.")
    words = " ".join(mask(text).split())[:LESSON_LENGTH].rstrip(".")
    if not words:
        raise NotPossible("Say what was tried, or why it was not the cause.")
    return words
