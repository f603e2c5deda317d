"""The board's rows as plain values. What an investigation says in a line is worked out once for each of its results, then remembered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from django.core.cache import cache

from copilot.evidence.bundle import EvidenceBundle, from_json
from copilot.evidence.wording import percent, span_of_time
from copilot.views.sparkline import Sparkline, sparkline
from copilot.views.verdict import LEAST_CHANCE, LIVE, is_over, lasted
from incidents.models import Incident, IncidentRole, Investigation

SERVICES_SHOWN, PEOPLE_SHOWN = 4, 3
REMEMBERED_SECONDS = 3600
Status = Incident.Status

# What a person can do from the board in each state: verb, button, key.
_ACKNOWLEDGE, _MITIGATE, _RESOLVE = (
    ("acknowledge", "Acknowledge", "a"),
    ("mitigate", "Mitigated", "m"),
    ("resolve", "Resolved", "r"),
)
_VERBS: dict[str, tuple[tuple[str, str, str], ...]] = {
    Status.OPEN: (_ACKNOWLEDGE, _MITIGATE, _RESOLVE),
    Status.ACKNOWLEDGED: (_MITIGATE, _RESOLVE),
    Status.MITIGATED: (_RESOLVE,),
}


@dataclass(frozen=True, slots=True)
class Gist:
    """An investigation in a line and a small picture. `until` is where a recording's evidence ends."""

    because: str
    spark: Sparkline | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """One incident on the board. `version` differs when anything that shows differs."""

    pk: int
    reference: str
    title: str
    severity: int
    status: str
    status_label: str
    because: str
    services: tuple[str, ...]
    more_services: int
    team: str
    tags: tuple[str, ...]
    people: tuple[str, ...]
    duration: str
    detected_after: str
    ticking_since: datetime | None
    opened_at: datetime
    snoozed_until: datetime | None
    is_replay: bool
    is_demo: bool
    is_restricted: bool
    merged_into: int | None
    verbs: tuple[tuple[str, str, str], ...]
    spark: Sparkline | None
    version: str


def rows(incidents: Sequence[Incident], *, now: datetime) -> tuple[Row, ...]:
    """Return the incidents' rows, with a fixed number of queries."""
    if not incidents:
        return ()
    gists, people = _gists(incidents), _people(incidents)
    return tuple(_row(incident, gists.get(incident.pk), people.get(incident.pk, ()), now=now) for incident in incidents)


def _row(incident: Incident, gist: Gist | None, people: Sequence[str], *, now: datetime) -> Row:
    is_replay = incident.source != LIVE
    until = gist.until if gist and gist.until else incident.last_anomaly_at
    snoozed_until = incident.snoozed_until_at if _is_snoozed(incident, now=now) else None
    because = _because(incident, gist)
    shown = (incident.title, incident.status, incident.severity, incident.services, incident.tags, because, *people)
    return Row(
        pk=incident.pk,
        reference=incident.reference,
        title=incident.title,
        severity=incident.severity,
        status=incident.status,
        status_label="Not acknowledged" if incident.status == Status.OPEN else incident.get_status_display(),
        because=because,
        services=tuple(incident.services[:SERVICES_SHOWN]),
        more_services=max(0, len(incident.services) - SERVICES_SHOWN),
        team=incident.team.name if incident.team else "",
        tags=tuple(incident.tags[:SERVICES_SHOWN]),
        people=tuple(people[:PEOPLE_SHOWN]),
        duration=span_of_time(lasted(incident, until=until, now=now)),
        detected_after=span_of_time(incident.opened_at - incident.started_at),
        ticking_since=None if is_replay or is_over(incident) else incident.started_at,
        opened_at=incident.opened_at,
        snoozed_until=snoozed_until,
        is_replay=is_replay,
        is_demo=incident.is_demo,
        is_restricted=incident.is_restricted,
        merged_into=incident.merged_into_id,
        verbs=_VERBS.get(incident.status, ()),
        spark=gist.spark if gist else None,
        version=blake2b(repr((shown, snoozed_until)).encode(), digest_size=8).hexdigest(),
    )


def _is_snoozed(incident: Incident, *, now: datetime) -> bool:
    return incident.snoozed_until_at is not None and incident.snoozed_until_at > now


def _because(incident: Incident, gist: Gist | None) -> str:
    """Say why in a line: what people decided, else what the investigation found."""
    if incident.merged_into_id:
        return f"Merged into INC-{incident.merged_into_id}."
    if incident.cause_text:
        return incident.cause_text
    if gist is not None:
        return gist.because
    return str(incident.get_cause_display()) if incident.cause else ""


def _people(incidents: Sequence[Incident]) -> dict[int, list[str]]:
    held = IncidentRole.objects.filter(incident__in=[incident.pk for incident in incidents], until_at=None)
    found: dict[int, list[str]] = defaultdict(list)
    for incident_id, name in held.order_by("since_at").values_list("incident_id", "user__username"):
        if name not in found[incident_id]:
            found[incident_id].append(name)
    return found


def _gists(incidents: Sequence[Incident]) -> dict[int, Gist]:
    """Return the gist of each incident's investigation; those that are not remembered are read with one query."""
    ids = [incident.pk for incident in incidents]
    stamps = {
        incident_id: (f"gist-{pk}-{finished_at.timestamp() if finished_at else 0}", state)
        for pk, incident_id, state, finished_at in Investigation.objects.filter(incident__in=ids).values_list(
            "pk", "incident_id", "state", "finished_at"
        )
    }
    found = {pk: _without_evidence(state) for pk, (_, state) in stamps.items() if state != Investigation.State.READY}
    ready = {pk: key for pk, (key, _) in stamps.items() if pk not in found}
    remembered = cache.get_many(ready.values())
    found |= {pk: remembered[key] for pk, key in ready.items() if key in remembered}
    missing = [pk for pk in ready if pk not in found]
    fresh = {
        pk: _gist(from_json(evidence))
        for pk, evidence in Investigation.objects.filter(incident__in=missing).values_list("incident_id", "evidence")
    }
    if fresh:
        cache.set_many({ready[pk]: gist for pk, gist in fresh.items()}, REMEMBERED_SECONDS)
    return found | fresh


def _without_evidence(state: str) -> Gist:
    failed = state == Investigation.State.FAILED
    said = "No explanation: the investigation failed." if failed else "Evidence is being gathered."
    return Gist(said, None, None)


def _gist(bundle: EvidenceBundle) -> Gist:
    leading = next((h for h in bundle.hypotheses if h.verdict != "ruled out"), None)
    if leading is None or leading.confidence < LEAST_CHANCE:
        return Gist("No service stands out.", sparkline(bundle), bundle.incident_end)
    start = "Probably" if leading.verdict == "likely" else "Possibly"
    said = f"{start} {leading.service} ({percent(leading.confidence)}): {leading.sentence}"
    return Gist(said, sparkline(bundle), bundle.incident_end)
