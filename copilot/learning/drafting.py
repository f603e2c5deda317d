"""After an incident: a postmortem draft, and a change to the runbook used. Both go into the usual review; nothing is published by itself."""

from dataclasses import dataclass
from datetime import datetime

from copilot.answers import brief as briefs
from copilot.evidence.bundle import EvidenceBundle, Kind, from_json
from copilot.learning import postmortem, runbook_changes
from incidents.lifecycle import OVER
from incidents.models import ConfirmedCause, Incident, Investigation, Lesson
from runbooks import curation
from runbooks.models import Document, Revision

GRAVE = 2  # severity from which an incident gets a postmortem without a confirmed cause too


@dataclass(frozen=True, slots=True)
class Learned:
    """What was drafted: revisions that wait for a person, and for each document that was left alone why."""

    drafts: tuple[Revision, ...]
    left: tuple[str, ...]


def learn(incident_id: int, *, now: datetime) -> Learned:
    """Draft what a resolved incident teaches. Doing it again brings the drafts up to date, and leaves alone what a person has written in.

    Restricted incidents teach nothing here: runbooks and postmortems are read by more people than they are. Raises nothing for one that
    goes on, was merged, or is gone.
    """
    incident = Incident.objects.filter(pk=incident_id, is_restricted=False, is_demo=False, merged_into=None).first()
    if incident is None or incident.status not in OVER:
        return Learned((), ())
    look = Investigation.objects.filter(incident=incident).exclude(evidence={}).first()
    bundle = from_json(look.evidence) if look else None
    brief = briefs.from_json(look.brief) if look and look.brief else None
    found: list[Revision | str] = []
    if incident.severity <= GRAVE or ConfirmedCause.objects.filter(incident=incident).exists():
        found.append(_postmortem(incident, postmortem.text_of(incident, bundle=bundle, brief=brief), now=now))
    if bundle and (proposed := _runbook(incident, bundle, now=now)):
        found.append(proposed)
    return Learned(
        drafts=tuple(one for one in found if isinstance(one, Revision)),
        left=tuple(one for one in found if isinstance(one, str)),
    )


def _postmortem(incident: Incident, text: curation.Text, *, now: datetime) -> Revision | str:
    source = incident.reference
    # The title, and with it the address, begins with the reference; whoever edits a draft takes its source off.
    before = Document.objects.filter(kind=Document.Kind.POSTMORTEM, slug__startswith=f"{source.lower()}-").first()
    try:
        if before is None:
            return curation.draft(text, kind=Document.Kind.POSTMORTEM, by=None, now=now, source=source)
        if _is_a_persons(before):
            return f"{before} was edited or approved by a person."
        return curation.revise(before, text, by=None, now=now, source=source)
    except curation.CurationError as error:
        return str(error)


def _runbook(incident: Incident, bundle: EvidenceBundle, *, now: datetime) -> Revision | str | None:
    """Put what was tried into a draft of the runbook that fitted best; None when it has nothing to learn."""
    slug = next((item.detail.get("slug") for item in bundle.items if item.kind is Kind.PASSAGE), None)
    approved = Revision.objects.filter(document__slug=slug or "", state=Revision.State.APPROVED).first()
    lessons = list(Lesson.objects.filter(incident=incident).exclude(told_by=""))
    if approved is None or not lessons:
        return None
    document = approved.document
    markdown = runbook_changes.changed(approved.markdown, lessons=lessons, reference=incident.reference)
    waiting = document.revisions.filter(state=Revision.State.DRAFT).first()
    if waiting is not None and (waiting.author_id is not None or waiting.source != incident.reference):
        return f"{document} has a draft already: approve or discard that, then confirm the cause again."
    if markdown == approved.markdown:
        return None
    text = curation.Text(
        title=approved.title,
        markdown=markdown,
        services=document.services,
        tags=document.tags,
        owner=document.owner,
        reviewed_on=approved.reviewed_on,
    )
    try:
        return curation.revise(document, text, by=None, now=now, source=incident.reference)
    except curation.CurationError as error:
        return str(error)


def _is_a_persons(document: Document) -> bool:
    """Say whether somebody has written into it, or decided on it."""
    return document.revisions.exclude(author=None, state=Revision.State.DRAFT).exists()
