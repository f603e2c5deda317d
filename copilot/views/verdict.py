"""The top of an incident's page: what, since when, how sure, in numbers, and what next."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from copilot.answers.brief import Brief
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind, Role
from copilot.evidence.wording import percent, quantity, span_of_time
from copilot.views.assessment import WORDS, held_down
from copilot.views.claims import ShownClaim, shown
from copilot.views.timeline import Then
from incidents.detection.anomaly import Transience
from incidents.detection.impact import Harm, impact_of
from incidents.lifecycle import OVER
from incidents.models import Incident
from incidents.views.signal_reading import WORDS as WORDS_OF_TRANSIENCE
from incidents.views.signal_reading import clears_of

LIVE = "live"
SYMPTOMS_SHOWN = 2
LEAST_CHANCE = 0.01  # less reads 0 %


@dataclass(frozen=True, slots=True)
class Fact:
    """One number of the header. `cite` is the item it comes from, "" when it is the record's own."""

    label: str
    value: str
    note: str
    cite: str = ""
    bad: bool = False
    ticking_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ServiceTag:
    """One affected service; `is_root` marks the leading suspect."""

    name: str
    is_affected: bool
    is_root: bool


@dataclass(frozen=True, slots=True)
class ShownVerdict:
    """Plain values for `copilot/incident/verdict.html`."""

    pk: int
    reference: str
    title: str
    severity: int
    status: str
    status_label: str
    services: tuple[ServiceTag, ...]
    because: ShownClaim | None
    confidence: str
    confidence_word: str
    held_down: str
    facts: tuple[Fact, ...]
    next_check: str
    first_step: ShownClaim | None
    verbs: tuple[tuple[str, str, str], ...]
    recording: str
    recorded: str


# What a person can do in each status: verb, button, key.
_VERBS = {
    Incident.Status.OPEN: (("acknowledge", "Acknowledge", "A"), ("mitigate", "Mark mitigated", "M")),
    Incident.Status.ACKNOWLEDGED: (("mitigate", "Mark mitigated", "M"), ("resolve", "Mark resolved", "")),
    Incident.Status.MITIGATED: (("resolve", "Mark resolved", ""), ("reopen", "Reopen", "")),
    Incident.Status.RESOLVED: (("close", "Close", ""), ("reopen", "Reopen", "")),
    Incident.Status.CLOSED: (("reopen", "Reopen", ""),),
}


def verdict_of(
    incident: Incident, *, bundle: EvidenceBundle | None, brief: Brief | None, now: datetime, then: Then | None = None
) -> ShownVerdict:
    """Return the header of an incident; without a bundle it shows what the record alone knows.

    With `then` it shows how the incident stood at that moment, and offers nothing to do: the past cannot be acted on.
    """
    because = None
    if brief and bundle:
        known = {item.id for item in bundle.items}
        because = next(iter(shown(brief.cause[:1], known=known)), None)
    assessment = bundle.assessment if bundle else None
    chance = assessment.confidence if assessment else brief.confidence if brief else 0.0
    return ShownVerdict(
        pk=incident.pk,
        reference=incident.reference,
        title=brief.headline if brief else incident.title,
        severity=then.severity if then else incident.severity,
        status=(then.status or "") if then else incident.status,
        status_label=(then.status.label if then.status else "Not known yet") if then else incident.get_status_display(),
        services=_services(incident, bundle),
        because=because,
        confidence=percent(chance) if chance >= LEAST_CHANCE else "",
        confidence_word=WORDS[assessment.certainty].lower() if assessment else _confidence_word(brief),
        held_down=held_down(assessment) if assessment else "",
        facts=(
            _going_on(incident, bundle, now=now, then=then),
            *(_clearing(incident) if then is None else ()),
            *_symptoms(bundle),
            _affected(incident, bundle),
        ),
        next_check=brief.next_check[0].text if brief and brief.next_check else "",
        first_step=_first_step(bundle, brief) if bundle and brief else None,
        verbs=() if incident.merged_into_id or then else _VERBS[Incident.Status(incident.status)],
        recording="" if incident.source == LIVE else incident.source.removeprefix("replay_"),
        recorded=_recorded(bundle),
    )


def _first_step(bundle: EvidenceBundle, brief: Brief) -> ShownClaim | None:
    """Return the first step that a runbook gives, by the runbook's name; None when none fits."""
    runbooks = {
        item.id: str(item.detail.get("title") or item.title.removeprefix("Runbook: "))
        for item in bundle.items
        if item.kind is Kind.PASSAGE
    }
    first = next((claim for claim in brief.steps if runbooks.keys() & set(claim.cites)), None)
    if first is None:
        return None
    said = replace(first, text=f"Runbook “{runbooks[first.cites[0]]}”: {first.text}")
    return shown([said], known=runbooks)[0]


def _recorded(bundle: EvidenceBundle | None) -> str:
    """Return when it really was, "" unless a replay moved its times."""
    if bundle is None or not bundle.shifted_by_seconds:
        return ""
    began_at = bundle.incident_start - timedelta(seconds=bundle.shifted_by_seconds)
    return f"Recorded on {began_at:%-d %B %Y} at {began_at:%H:%M} UTC; times moved to when it was replayed"


def leading_suspect(bundle: EvidenceBundle) -> str:
    """Return the likeliest service, "" when none is suspected."""
    return next((h.service for h in bundle.hypotheses if h.verdict != "ruled out" and h.confidence >= LEAST_CHANCE), "")


def is_over(incident: Incident) -> bool:
    """Say whether the duration has stopped growing."""
    return incident.status in {Incident.Status.MITIGATED, *OVER}


def lasted(incident: Incident, *, until: datetime, now: datetime) -> timedelta:
    """Return how long the incident goes on or went on; a replayed one ends where its evidence ends (`until`)."""
    if incident.source != LIVE:
        return until - incident.started_at
    end = (incident.mitigated_at or incident.resolved_at or incident.closed_at) if is_over(incident) else None
    return (end or now) - incident.started_at


def _going_on(incident: Incident, bundle: EvidenceBundle | None, *, now: datetime, then: Then | None) -> Fact:
    note = f"since {incident.started_at:%H:%M:%S} UTC, {incident.started_at:%-d %B %Y}"
    if then:
        return Fact("Had gone on for", span_of_time(max(then.at - incident.started_at, timedelta(0))), note)
    until = bundle.incident_end if bundle else incident.last_anomaly_at
    live = incident.source == LIVE and not is_over(incident)
    label = "Going on for" if live else ("Recorded for" if incident.source != LIVE else "Went on for")
    return Fact(
        label=label,
        value=span_of_time(lasted(incident, until=until, now=now)),
        note=note,
        ticking_since=incident.started_at if live else None,
    )


def _clearing(incident: Incident) -> tuple[Fact, ...]:
    """Say whether it clears by itself: as the departure does that harms requests, still lasts, and is least likely to."""
    if is_over(incident):
        return ()
    lasting = incident.anomalies.filter(ended_at=None, clears_share__isnull=False)
    felt = [one for one in lasting if impact_of(one.episode, is_entry=False).harm > Harm.NONE]
    if not felt:
        return ()
    worst = min(felt, key=lambda one: one.clears_share or 0.0)
    kinds = {Transience(one.transience) for one in felt}
    gravest = next(kind for kind in (Transience.CRITICAL, Transience.SUSTAINED, Transience.BLIP) if kind in kinds)
    return (
        Fact(
            label="Clears by itself?",
            value=WORDS_OF_TRANSIENCE[gravest],
            note=clears_of(worst).rstrip("."),
            bad=gravest is Transience.CRITICAL,
        ),
    )


def _symptoms(bundle: EvidenceBundle | None) -> tuple[Fact, ...]:
    items = [item for item in bundle.by_role(Role.SYMPTOM) if item.kind is Kind.METRIC] if bundle else []
    return tuple(fact for item in items[:SYMPTOMS_SHOWN] if (fact := _symptom(item)))


def _symptom(item: Evidence) -> Fact | None:
    peak = item.statistic.get("peak") or item.statistic.get("after")
    if not peak or peak.get("value") is None:
        return None
    low, high = item.statistic.get("usual low"), item.statistic.get("usual high")
    before = item.statistic.get("before")
    if low and high:
        note = f"usual {quantity(low['value'], low['unit'])} to {quantity(high['value'], high['unit'])}"
    elif before and before.get("value") is not None:
        note = f"before {quantity(before['value'], before['unit'])}"
    else:
        note = ""
    return Fact(label=item.title, value=quantity(peak["value"], peak["unit"]), note=note, cite=item.id, bad=True)


def _affected(incident: Incident, bundle: EvidenceBundle | None) -> Fact:
    seen = len(incident.services)
    known = len({name for edge in bundle.edges for name in edge} | set(incident.services)) if bundle else seen
    note = f"of {known} known" if known > seen else ", ".join(incident.services[:3])
    return Fact(label="Services affected", value=str(seen), note=note)


def _services(incident: Incident, bundle: EvidenceBundle | None) -> tuple[ServiceTag, ...]:
    leading = leading_suspect(bundle) if bundle else ""
    names = list(dict.fromkeys([leading, *incident.services] if leading else incident.services))
    return tuple(ServiceTag(name, name in incident.services, name == leading) for name in names[:6])


def _confidence_word(brief: Brief | None) -> str:
    if not brief or not brief.confidence:
        return ""
    if brief.undecided:
        return "likely; not separated from the next"
    return "likely"
