"""The list of incidents: what needs somebody now, what is watched, what is over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from copilot.evidence.bundle import EvidenceBundle, from_json
from copilot.evidence.wording import span_of_time
from copilot.views.access import may_see
from copilot.views.sparkline import Sparkline, sparkline
from copilot.views.verdict import LEAST_SHARE, LIVE, is_over, lasted
from incidents.models import Incident, Investigation, Service

SHOWN_ACTIVE = 50
A_PAGE = 25
_ACTIVE = (Incident.Status.OPEN, Incident.Status.ACKNOWLEDGED)
_STATUS_FILTERS = ("active", "resolved", "all")


@dataclass(frozen=True, slots=True)
class Row:
    """One incident in the list."""

    pk: int
    reference: str
    title: str
    severity: int
    status: str
    status_label: str
    because: str
    services: tuple[str, ...]
    duration: str
    detected_after: str
    ticking_since: datetime | None
    is_replay: bool
    spark: Sparkline | None


@dataclass(frozen=True, slots=True)
class Filter:
    """One button of a filter: where it leads and whether it is on."""

    label: str
    query: str
    is_on: bool


@may_see
@require_GET
def incident_list(request: HttpRequest) -> HttpResponse:
    """Show the incidents, or, before there is any, how to send telemetry here."""
    if not Incident.objects.exists():
        return render(
            request, "copilot/empty.html", {"endpoint": _endpoint(request), "services": Service.objects.count()}
        )
    status, severity = _chosen(request.GET)
    found = Incident.objects.visible_to(request.user).select_related("investigation")
    if severity:
        found = found.filter(severity=severity)
    now = timezone.now()
    resolved = Paginator(found.filter(status=Incident.Status.RESOLVED), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "needs_you": _rows(_newest(found.filter(status__in=_ACTIVE)), now=now) if status != "resolved" else (),
        "watching": _rows(_newest(found.filter(status=Incident.Status.MITIGATED)), now=now)
        if status != "resolved"
        else (),
        "resolved": _rows(resolved, now=now) if status != "active" else (),
        "resolved_page": resolved,
        "statuses": _status_filters(status, severity, visible=Incident.objects.visible_to(request.user)),
        "severities": _severity_filters(status, severity),
        "status": status,
        "severity": severity,
    }
    return render(request, "copilot/incidents.html", context)


def _chosen(query: Mapping[str, Any]) -> tuple[str, int]:
    status = query.get("status", "all")
    severity = query.get("severity", "")
    return (status if status in _STATUS_FILTERS else "all", int(severity) if severity in {"1", "2", "3", "4"} else 0)


def _newest(found: QuerySet[Incident]) -> QuerySet[Incident]:
    return found.order_by("-opened_at", "-pk")[:SHOWN_ACTIVE]


def _rows(incidents: Iterable[Incident], *, now: datetime) -> tuple[Row, ...]:
    return tuple(_row(incident, now=now) for incident in incidents)


def _row(incident: Incident, *, now: datetime) -> Row:
    investigation = getattr(incident, "investigation", None)
    bundle = _bundle(investigation)
    is_replay = incident.source != LIVE
    until = bundle.incident_end if bundle else incident.last_anomaly_at
    return Row(
        pk=incident.pk,
        reference=incident.reference,
        title=incident.title,
        severity=incident.severity,
        status=incident.status,
        status_label="Not acknowledged" if incident.status == Incident.Status.OPEN else incident.get_status_display(),
        because=_because(bundle, investigation),
        services=tuple(incident.services[:4]),
        duration=span_of_time(lasted(incident, until=until, now=now)),
        detected_after=span_of_time(incident.opened_at - incident.started_at),
        ticking_since=None if is_replay or is_over(incident) else incident.started_at,
        is_replay=is_replay,
        spark=sparkline(bundle) if bundle else None,
    )


def _bundle(investigation: Investigation | None) -> EvidenceBundle | None:
    ready = investigation is not None and investigation.state == Investigation.State.READY
    return from_json(investigation.evidence) if investigation and ready else None


def _because(bundle: EvidenceBundle | None, investigation: Investigation | None) -> str:
    if bundle is None:
        failed = investigation is not None and investigation.state == Investigation.State.FAILED
        return "No explanation: the investigation failed." if failed else "Evidence is being gathered."
    leading = next((h for h in bundle.hypotheses if h.verdict != "ruled out"), None)
    if leading is None or leading.score < LEAST_SHARE:
        return "No service stands out."
    start = "Probably" if leading.verdict == "likely" else "Possibly"
    return f"{start} {leading.service} ({leading.score:.2f}): {leading.sentence}"


def _status_filters(status: str, severity: int, *, visible: QuerySet[Incident]) -> tuple[Filter, ...]:
    counts = {row["status"]: row["n"] for row in visible.order_by().values("status").annotate(n=Count("pk"))}
    resolved = counts.pop(Incident.Status.RESOLVED, 0)
    labels = {"all": "All", "active": f"Active {sum(counts.values())}", "resolved": f"Resolved {resolved}"}
    return tuple(Filter(label, _query(name, severity), name == status) for name, label in labels.items())


def _severity_filters(status: str, severity: int) -> tuple[Filter, ...]:
    # Pressing the one that is on takes it off.
    return tuple(Filter(f"SEV {n}", _query(status, 0 if n == severity else n), n == severity) for n in range(1, 5))


def _query(status: str, severity: int) -> str:
    return f"?status={status}" + (f"&severity={severity}" if severity else "")


def _endpoint(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"
