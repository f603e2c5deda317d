"""The line, top to bottom: telemetry → anomaly → incident → evidence → answer. Start reading here.

Live, beat runs the first half every few seconds (`incidents.monitoring`), and a worker the second (`investigate`). A replay runs both
on a recording. Each step is one call; each hand-off is a frozen type or a database row.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from copilot import events
from copilot.answers import brief as briefs
from copilot.evidence import bundle as bundles
from copilot.evidence.assessment import Result
from copilot.evidence.backend import backend_of
from copilot.evidence.gather import gather
from copilot.evidence.wording import percent
from incidents import lifecycle
from incidents.intake import outbox
from incidents.localization.ranking import rank
from incidents.localization.suspects import Modality, Ranking
from incidents.models import FormerLook, Incident, Investigation, TimelineEntry
from incidents.telemetry.backend import TelemetryBackend, TelemetryError
from incidents.telemetry.datamodel import Window
from runbooks.passages import SearchResult
from runbooks.remedies import with_remedies
from runbooks.search import search

LEASE = timedelta(seconds=80)  # with the sweep every 30 s, a dead worker's investigation is taken up within two minutes
ATTEMPTS = 3
LONGEST = timedelta(minutes=15)  # of an incident's own time: what came later says little about the cause
REFERENCE = timedelta(minutes=30)  # before it: what usual looks like
AFTERWARDS = timedelta(minutes=2)  # after the newest anomaly
SHORTEST = timedelta(minutes=1)
LOOK_AGAIN = timedelta(minutes=2)  # after the last look, while an incident is young


@dataclass
class Stages:
    """Seconds that each stage took, by name in the order they ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of the block to the stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 3)


def investigate(
    incident_id: int,
    *,
    now: datetime,
    backend: TelemetryBackend | None = None,
    baseline: TelemetryBackend | None = None,
    shifted_by: timedelta = timedelta(0),
) -> bool:
    """Explain an incident: rank suspects, gather evidence, write the brief. Return False when another worker has it.

    Safe to repeat. A backend that cannot answer becomes a gap in the brief. `backend` and `baseline` (fault-free data of the same system)
    are given by a replay, and by how much it moved all times (`shifted_by`); otherwise the incident's own source answers.
    """
    if not _claim(incident_id, now=now):
        return False
    incident = Incident.objects.get(pk=incident_id)
    backend = backend or backend_of(incident)
    window = window_of(incident, now=now)
    stages = Stages()
    with stages.timed("localization"):
        ranking, gaps = _rank(backend, window, baseline)
    with stages.timed("evidence"):
        bundle = gather(incident, window=window, backend=backend, ranking=ranking, search=_search, now=now)
        moved_seconds = shifted_by.total_seconds() or bundle.shifted_by_seconds
        bundle = replace(bundle, gaps=(*gaps, *bundle.gaps), shifted_by_seconds=moved_seconds)
    with stages.timed("brief"):
        brief = briefs.write(bundle, title=incident.title)
    _keep(incident, bundle, brief, stages, now=now)
    return True


def window_of(incident: Incident, *, now: datetime) -> Window:
    """Return the time that an incident's evidence covers: from its start to shortly after its newest anomaly, at most 15 minutes."""
    end = min(now, incident.last_anomaly_at + AFTERWARDS, incident.started_at + LONGEST)
    return Window(incident.started_at, max(end, incident.started_at + SHORTEST))


def _rank(
    backend: TelemetryBackend, window: Window, baseline: TelemetryBackend | None
) -> tuple[Ranking, tuple[str, ...]]:
    reference = Window(window.start - REFERENCE, window.start)
    try:
        return rank(backend, incident=window, reference=reference, baseline=baseline), ()
    except TelemetryError as error:
        nothing = Ranking((), (), 0.0, tuple(Modality), (), "")
        return nothing, (f"Suspects could not be ranked: {error}",)


def _search(query: str, kind: str) -> SearchResult:
    found = search(query, limit=3, kinds=[kind])
    return with_remedies(found) if kind == "runbook" else found


def _keep(
    incident: Incident, bundle: bundles.EvidenceBundle, brief: briefs.Brief, stages: Stages, *, now: datetime
) -> None:
    """Store the result, tell open pages, and have it explained in words if that is news: one transaction."""
    before = Investigation.objects.get(incident=incident)
    is_news = not before.evidence or _leader(bundles.from_json(before.evidence)) != _leader(bundle)
    with transaction.atomic():
        keep_former(before)
        Investigation.objects.filter(incident=incident).update(
            state=Investigation.State.READY,
            finished_at=now + timedelta(seconds=sum(stages.seconds.values())),
            evidence=bundles.to_json(bundle),
            brief=briefs.to_json(brief),
            stage_seconds=stages.seconds,
            claimed_until=None,
            failure="",
        )
        TimelineEntry.objects.bulk_create(_timeline(incident, bundle, brief, now=now), ignore_conflicts=True)
        lifecycle.note_refuted(incident, found=_refuted(bundle), now=now)
        events.publish(incident_id=incident.pk, kind="investigation.ready", payload={})
        if incident.attachments.exists():
            outbox.enqueue(task="copilot.tasks.read_attachments", arguments=[incident.pk], queue="investigate")
        if is_news:
            outbox.enqueue(task="copilot.tasks.warm", arguments=[incident.pk], queue="chat")


def _refuted(bundle: bundles.EvidenceBundle) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return the leading suspect with why, and the evidence, for each attempt that refuted it."""
    found = bundle.assessment
    return [(found.service, one.answer.rstrip("."), one.cites) for one in found.ended(Result.REFUTED)] if found else []


def keep_former(look: Investigation) -> None:
    """Keep what was said so far, as of the time it was said: the timeline's slider shows it again."""
    if look.finished_at is None or not look.evidence:
        return
    looks = FormerLook.objects.filter(incident=look.incident_id)
    looks.get_or_create(
        incident_id=look.incident_id,
        finished_at=look.finished_at,
        defaults={"evidence": look.evidence, "brief": look.brief, "stage_seconds": look.stage_seconds},
    )
    kept = list(looks.order_by("-finished_at").values_list("pk", flat=True)[: FormerLook.MOST_KEPT])
    looks.exclude(pk__in=kept).delete()


def _leader(bundle: bundles.EvidenceBundle) -> str:
    """Return the service that probably caused it, "" while none stands out."""
    return next((h.service for h in bundle.hypotheses if h.verdict == "likely"), "")


def _timeline(
    incident: Incident, bundle: bundles.EvidenceBundle, brief: briefs.Brief, *, now: datetime
) -> list[TimelineEntry]:
    """Return what the investigation adds to the timeline: the changes it found, and that the brief is there."""
    changes = [
        TimelineEntry(
            incident=incident,
            kind=TimelineEntry.Kind.CHANGE,
            happened_at=datetime.fromisoformat(item.detail["at"]),
            known_at=now,
            text=item.title,
        )
        for item in bundle.items
        if item.kind is bundles.Kind.CHANGE
    ]
    leading = _leader(bundle)
    ready = (
        f"Brief ready: probably {leading} ({percent(brief.confidence)})"
        if leading
        else "Brief ready: no cause stands out yet"
    )
    if incident.timeline.filter(text=ready).exists():
        return changes
    said = TimelineEntry(incident=incident, kind=TimelineEntry.Kind.COPILOT, happened_at=now, known_at=now, text=ready)
    return [*changes, said]


def _claim(incident_id: int, *, now: datetime) -> bool:
    """Take the investigation for the time of a lease; only one worker's UPDATE can match."""
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
    waiting = Q(state__in=(Investigation.State.WAITING, Investigation.State.RUNNING))
    claimed = Investigation.objects.filter(free, waiting, incident_id=incident_id, attempts__lt=ATTEMPTS).update(
        state=Investigation.State.RUNNING, claimed_until=now + LEASE, attempts=F("attempts") + 1
    )
    return claimed == 1


def request_again(incident_id: int, *, now: datetime) -> None:
    """Ask for a new investigation of an incident, as if it had just opened; takes effect after commit."""
    with transaction.atomic():
        Investigation.objects.filter(incident_id=incident_id).update(
            state=Investigation.State.WAITING, attempts=0, claimed_until=None, requested_at=now, failure=""
        )
        outbox.enqueue(task="copilot.tasks.investigate", arguments=[incident_id], queue="investigate")


def look_again(*, now: datetime) -> int:
    """Investigate open live incidents anew that have grown since their last look: young ones change by the minute; and those in which
    somebody has written down what was tried. Return how many.

    Evidence that was cited keeps its number (see `evidence.numbering`).
    """
    has_grown = Q(incident__started_at__gt=now - LONGEST, incident__last_anomaly_at__gt=F("finished_at"))
    was_told = Q(incident__lessons__told_at__gt=F("finished_at")) & ~Q(incident__lessons__told_by="")
    grown = Investigation.objects.filter(
        has_grown | was_told,
        state=Investigation.State.READY,
        incident__source="live",
        incident__status__in=(Incident.Status.OPEN, Incident.Status.ACKNOWLEDGED),
        finished_at__lt=now - LOOK_AGAIN,
    )
    found = list(grown.values_list("incident_id", flat=True).distinct())
    for incident_id in found:
        request_again(incident_id, now=now)
    return len(found)


def reclaim_expired(*, now: datetime) -> int:
    """Ask again for investigations whose worker died, and give up after three attempts. Return how many were asked for."""
    stuck = Investigation.objects.filter(state=Investigation.State.RUNNING, claimed_until__lt=now)
    for incident_id in stuck.filter(attempts__gte=ATTEMPTS).values_list("incident_id", flat=True):
        _give_up(incident_id, now=now)
    again = list(stuck.filter(attempts__lt=ATTEMPTS).values_list("incident_id", flat=True))
    for incident_id in again:
        outbox.enqueue(task="copilot.tasks.investigate", arguments=[incident_id], queue="investigate")
    return len(again)


def _give_up(incident_id: int, *, now: datetime) -> None:
    """Mark an investigation that never finished as failed, unless somebody else has just done so, and tell open pages."""
    with transaction.atomic():
        failed = Investigation.objects.filter(
            incident_id=incident_id, state=Investigation.State.RUNNING, claimed_until__lt=now
        ).update(
            state=Investigation.State.FAILED,
            claimed_until=None,
            failure=f"The investigation did not finish in {ATTEMPTS} attempts; its worker's log says why. Press Investigate again.",
        )
        if failed:
            cause = "It did not finish in three attempts: its worker died or raised an error each time. The worker's log says which."
            outbox.bury(
                task="copilot.tasks.investigate",
                arguments=[incident_id],
                queue="investigate",
                attempts=ATTEMPTS,
                cause=cause,
                now=now,
            )
            events.publish(incident_id=incident_id, kind="incident.changed", payload={})
