"""Precedent evidence: past incidents with the same signals, and postmortems that read like this one."""

from collections.abc import Iterable, Sequence

from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.passages import place_of
from copilot.evidence.wording import span_of_time
from incidents.models import Incident
from incidents.telemetry.datamodel import Window
from runbooks.passages import Passage

LOOKED_AT = 200  # newest past incidents compared
LEAST_SHARED = 2  # signals that two incidents must share to be called similar


def similar_incidents(incident: Incident, *, limit: int) -> list[tuple[Incident, list[str]]]:
    """Return past incidents that share signals (service and series) with this one, most shared first, with what they share."""
    own = _signals(incident)
    past = (
        Incident.objects.filter(opened_at__lt=incident.opened_at, services__overlap=incident.services)
        .exclude(pk=incident.pk)
        .exclude(source=incident.source, status=Incident.Status.OPEN)
        .prefetch_related("anomalies")[:LOOKED_AT]
    )
    found = [(other, sorted(own & _signals(other))) for other in past]
    similar = [(other, shared) for other, shared in found if len(shared) >= min(LEAST_SHARED, len(own))]
    return sorted(similar, key=lambda pair: (-len(pair[1]), pair[0].pk))[:limit]


def from_incident(other: Incident, *, shared: Sequence[str], window: Window) -> Evidence:
    """Return the item that shows a similar past incident and how it ended."""
    ended = (
        f"resolved after {span_of_time(other.resolved_at - other.started_at)}"
        if other.resolved_at
        else other.get_status_display().lower()
    )
    return Evidence(
        id="",
        kind=Kind.PRECEDENT,
        role=Role.REMEDY,
        service=other.services[0] if other.services else "",
        title=f"Similar incident {other.reference}",
        statement=f"{other.reference} on {other.started_at:%d %B %Y} showed the same {len(shared)} signals ({', '.join(shared[:3])}); {ended}.",
        start=window.start,
        end=window.end,
        statistic={"shared signals": {"value": len(shared), "unit": ""}},
        excerpt=(other.title,),
        query="past incidents by service and signal",
        backend="incident records",
        detail={"incident": other.pk, "title": other.title, "status": other.status, "shared": list(shared)},
    )


def from_postmortem(passage: Passage, *, window: Window, backend: str) -> Evidence:
    """Return the item that shows a postmortem's passage."""
    return Evidence(
        id="",
        kind=Kind.PRECEDENT,
        role=Role.REMEDY,
        service="",
        title=f"Postmortem: {passage.title}",
        statement=f"The postmortem “{passage.title}” describes a similar outage.",
        start=window.start,
        end=window.end,
        excerpt=(passage.text[:500],),
        query="postmortem search",
        backend=backend,
        detail=place_of(passage),
    )


def _signals(incident: Incident) -> set[str]:
    return _names((anomaly.service, anomaly.name) for anomaly in incident.anomalies.all())


def _names(pairs: Iterable[tuple[str, str]]) -> set[str]:
    return {f"{service} {name}" for service, name in pairs}
