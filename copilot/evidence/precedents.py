"""Precedent evidence: past incidents with the same signals, and postmortems that read like this one."""

from collections.abc import Iterable, Sequence

from django.db.models import Q

from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.passages import place_of
from copilot.evidence.wording import span_of_time
from incidents.models import ConfirmedCause, Incident
from incidents.telemetry.datamodel import Window
from runbooks.passages import Passage

LOOKED_AT = 200  # newest past incidents compared
LEAST_SHARED = 2  # signals that two incidents must share to be called similar


def similar_incidents(
    incident: Incident, *, suspect: tuple[str, str] = ("", ""), limit: int
) -> list[tuple[Incident, list[str]]]:
    """Return past incidents like this one, most alike first, each with what they share.

    Alike are those that share signals (service and series), and those whose confirmed cause was the `suspect`: service and family. Restricted
    ones are left out: whoever reads this one may not be allowed to read of them.
    """
    own = _signals(incident)
    past = (
        Incident.objects.filter(opened_at__lt=incident.opened_at, is_restricted=False)
        .filter(Q(services__overlap=incident.services) | Q(confirmed_cause__service=suspect[0] or None))
        .exclude(pk=incident.pk)
        .exclude(source=incident.source, status=Incident.Status.OPEN)
        .select_related("confirmed_cause")
        .prefetch_related("anomalies")[:LOOKED_AT]
    )
    similar = []
    for other in past:
        shared = sorted(own & _signals(other))
        cause = cause_of(other)
        is_same_cause = cause is not None and bool(suspect[0]) and (cause.service, cause.family) == suspect
        if is_same_cause or len(shared) >= min(LEAST_SHARED, len(own)):
            similar.append((is_same_cause, other, shared))
    similar.sort(key=lambda one: (-len(one[2]), not one[0], one[1].pk))
    return [(other, shared) for _, other, shared in similar[:limit]]


def cause_of(incident: Incident) -> ConfirmedCause | None:
    """Return what people confirmed of an incident, None when nothing."""
    found: ConfirmedCause | None = getattr(incident, "confirmed_cause", None)
    return found


def from_incident(other: Incident, *, shared: Sequence[str], window: Window) -> Evidence:
    """Return the item that shows a similar past incident and how it ended."""
    ended = (
        f"resolved after {span_of_time(other.resolved_at - other.started_at)}"
        if other.resolved_at
        else other.get_status_display().lower()
    )
    cause = cause_of(other)
    showed = f"showed the same {len(shared)} signals ({', '.join(shared[:3])})" if shared else "looks alike"
    return Evidence(
        id="",
        kind=Kind.PRECEDENT,
        role=Role.REMEDY,
        service=(cause.service if cause else "") or (other.services[0] if other.services else ""),
        title=f"Similar incident {other.reference}",
        statement=f"{other.reference} on {other.started_at:%d %B %Y} {showed}; {ended}.{_confirmed(cause)}",
        start=window.start,
        end=window.end,
        statistic={"shared signals": {"value": len(shared), "unit": ""}},
        excerpt=(other.title,),
        query="past incidents by service and signal",
        backend="incident records",
        detail={
            "incident": other.pk,
            "title": other.title,
            "status": other.status,
            "shared": list(shared),
            "cause": cause.service if cause else "",
        },
    )


def _confirmed(cause: ConfirmedCause | None) -> str:
    if cause is None:
        return ""
    family = f", {cause.get_family_display().lower()}" if cause.family else ""
    words = f" ({cause.incident.cause_text})" if cause.incident.cause_text else ""
    return f" Its confirmed cause was {cause.service or 'outside our services'}{family}{words}."


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
