"""Drafts a postmortem from what is pinned of an incident: every sentence names its evidence, and a person approves it or it is never found."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from copilot.answers.brief import Brief
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.evidence.bundle import EvidenceBundle
from copilot.evidence.wording import span_of_time
from copilot.models import Claim
from incidents.models import ConfirmedCause, Incident, Lesson, TimelineEntry
from runbooks.curation import MAX_MARKDOWN, MAX_TITLE, Text

MOST_MOMENTS, MOST_SUMMARY = 60, 5


def text_of(incident: Incident, *, bundle: EvidenceBundle | None, brief: Brief | None) -> Text:
    """Return the draft: summary, impact, times, timeline, cause, what was tried, what worked, open questions.

    The summary is what a model wrote during the incident and the checker found supported, or without one the brief's cause.
    """
    sections = (
        ("Summary", _summary(incident, brief)),
        ("Impact", _claims((*brief.what, *brief.affected)) if brief else ()),
        ("Times", _times(incident)),
        ("Timeline", _timeline(incident)),
        ("Cause", _cause(incident, brief)),
        ("What was tried and did not help", _lessons(incident, Lesson.Kind.WORSE, Lesson.Kind.NO_HELP)),
        ("What worked", _lessons(incident, Lesson.Kind.FIXED)),
        ("Ruled out", _lessons(incident, Lesson.Kind.RULED_OUT)),
        ("Open questions", _open(bundle, brief)),
        ("To do", _to_do(incident)),
    )
    head = (
        f"Drafted by code from the pinned evidence and the timeline of {incident.reference}. [E…] is evidence of that incident, [timeline] its "
        "timeline, [record] what people recorded. Read it, correct it, and approve it: until then no search finds it.\n"
    )
    body = [
        f"## {title}\n\n" + "\n".join(lines or ["- Nothing is recorded."]) + "\n" for title, lines in _listed(sections)
    ]
    return Text(
        title=f"{incident.reference} {incident.title}"[:MAX_TITLE],
        markdown="\n".join([head, *body])[:MAX_MARKDOWN],
        services=tuple(incident.services[:10]),
        tags=("postmortem-draft",),
    )


def _listed(sections: Sequence[tuple[str, Iterable[str]]]) -> Iterator[tuple[str, list[str]]]:
    for title, sentences in sections:
        yield title, [f"- {' '.join(sentence.split())}" for sentence in sentences]


def _summary(incident: Incident, brief: Brief | None) -> Iterable[str]:
    said = Claim.objects.filter(message__incident=incident, by_model=True, verdict=Verdict.SUPPORTED.value)
    told = [f"{claim.text} {_cites(claim.cites)}" for claim in said.order_by("pk")[:MOST_SUMMARY] if claim.cites]
    return told or (_claims(brief.cause[:1]) if brief else ())


def _claims(claims: Iterable[CheckedClaim]) -> Iterator[str]:
    for claim in claims:
        yield f"{claim.text} {_cites(claim.cites) or '[brief]'}"


def _cites(cites: Iterable[str]) -> str:
    return "".join(f"[{cite}]" for cite in cites)


def _times(incident: Incident) -> Iterator[str]:
    """Yield the four times, each from what to what, as the trends count them."""
    began, opened = incident.started_at, incident.opened_at
    reached = incident.acknowledged_at or incident.mitigated_at or incident.resolved_at
    spans: tuple[tuple[str, datetime, datetime | None], ...] = (
        ("Detected after", began, opened),
        ("Acknowledged after", opened, reached),
        ("Mitigated after", began, incident.mitigated_at or incident.resolved_at),
        ("Restored after", began, incident.resolved_at),
    )
    for label, start, end in spans:
        if end is not None:
            lasted = span_of_time(max(end - start, timedelta(0)))
            yield f"{label} {lasted}: {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC [timeline]"


def _timeline(incident: Incident) -> Iterator[str]:
    entries = list(TimelineEntry.objects.filter(incident=incident)[: MOST_MOMENTS + 1])
    for entry in entries[:MOST_MOMENTS]:
        yield f"{entry.happened_at:%H:%M:%S} {entry.text} [timeline]"
    if len(entries) > MOST_MOMENTS:
        yield f"Later entries are in the timeline of {incident.reference}. [timeline]"


def _cause(incident: Incident, brief: Brief | None) -> Iterator[str]:
    confirmed = ConfirmedCause.objects.filter(incident=incident).first()
    if confirmed:
        family = f", {confirmed.get_family_display().lower()}" if confirmed.family else ""
        kind = f" {incident.get_cause_display()}." if incident.cause else ""
        words = f" {incident.cause_text}." if incident.cause_text else ""
        who = confirmed.service or "none of our services"
        yield f"Confirmed by {confirmed.confirmed_by}: {who}{family}.{kind}{words} [record]"
        if confirmed.stated_service and not confirmed.is_as_stated:
            yield f"The co-pilot had suspected {confirmed.stated_service}, wrongly. [record]"
    else:
        yield "Nobody has confirmed a cause; what follows is what the evidence says. [record]"
    yield from _claims(brief.cause if brief else ())


def _lessons(incident: Incident, *kinds: Lesson.Kind) -> Iterator[str]:
    for lesson in incident.lessons.filter(kind__in=kinds):
        where = f"{lesson.service}: " if lesson.service else ""
        cites = _cites(lesson.cites) or "[record]"
        yield f"{where}{lesson.text}. {lesson.get_kind_display()} ({lesson.told_by or 'found by code'}). {cites}"


def _open(bundle: EvidenceBundle | None, brief: Brief | None) -> Iterator[str]:
    for one in bundle.assessment.attempts if bundle and bundle.assessment else ():
        if one.question in (bundle.assessment.questions if bundle and bundle.assessment else ()):
            yield f"{one.question} {one.answer} {_cites(one.cites) or '[brief]'}"
    yield from _claims(brief.unseen if brief else ())


def _to_do(incident: Incident) -> Iterator[str]:
    for task in incident.tasks.filter(done_at=None):
        yield f"{task.text} ({task.assignee.get_username() if task.assignee else 'nobody yet'}) [record]"
