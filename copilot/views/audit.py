"""The audit log: who changed what, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from copilot import audit
from copilot.models import AuditEntry, Unmasking
from copilot.views.access import may_audit
from incidents.models import ConfirmedCause, Incident, IncidentRole, IncidentTask, Lesson, StatusUpdate, Watch

A_PAGE = 100
SHOWN_VALUE = 120  # characters
# Table → what people call its rows.
TABLES = {
    "incidents_incident": "incident",
    "incidents_incidentrole": "role in an incident",
    "incidents_incidenttask": "task",
    "incidents_confirmedcause": "confirmed cause",
    "incidents_lesson": "lesson",
    "incidents_statusupdate": "stakeholder update",
    "incidents_groupingdecision": "grouping decision",
    "incidents_groupingrule": "grouping rule",
    "incidents_silence": "silence",
    "incidents_alert": "alert",
    "incidents_alertsource": "source",
    "incidents_sourcetoken": "source token",
    "incidents_service": "service",
    "incidents_serviceedge": "call between services",
    "incidents_team": "team",
    "incidents_team_members": "membership of a team",
    "incidents_watch": "watch",
    "incidents_notificationchannel": "notification channel",
    "incidents_deadletter": "dead letter",
    "runbooks_document": "document",
    "runbooks_revision": "revision",
    "auth_user": "person",
    "auth_user_groups": "role of a person",
    "auth_user_user_permissions": "permission of a person",
    "auth_group": "role",
    "auth_group_permissions": "permission of a role",
    "copilot_apitoken": "API token",
    "copilot_rerun": "answer written again",
    "copilot_signinlink": "sign-in link",
    "copilot_unmasking": "look at personal data",
}
_OF_AN_INCIDENT = (IncidentRole, IncidentTask, StatusUpdate, Watch, ConfirmedCause, Lesson, Unmasking)


@dataclass(frozen=True, slots=True)
class ShownChange:
    """One column's change, shortened."""

    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """One row of the log. `number` is its place in the chain, None before it is sealed."""

    at: datetime
    actor: str
    action: str
    what: str
    table: str
    row_id: str
    number: int | None
    changes: tuple[ShownChange, ...]


@may_audit
@require_GET
def audit_page(request: HttpRequest) -> HttpResponse:
    """Show the newest entries that match the filters in the address."""
    query = request.GET
    found = matching(query)
    before = query.get("before", "")
    if before.isdecimal() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    rows = list(found.order_by("-pk")[: A_PAGE + 1])
    kept = {name: value for name, value in query.items() if name != "before" and value}
    older = "?" + urlencode({**kept, "before": rows[A_PAGE - 1].pk}) if len(rows) > A_PAGE else ""
    waiting = AuditEntry.objects.filter(number=None).order_by("at").values_list("at", flat=True).first()
    context = {
        "entries": [_shown(entry) for entry in rows[:A_PAGE]],
        "older": older,
        "tables": sorted(TABLES.items(), key=lambda item: item[1]),
        "query": {name: query.get(name, "") for name in ("actor", "table", "row", "incident", "since", "until")},
        "head": audit.newest(),
        "is_late": waiting is not None and timezone.now() - waiting > audit.LATE,
    }
    return render(request, "copilot/audit.html", context)


def matching(query: Mapping[str, str]) -> QuerySet[AuditEntry]:
    """Return the entries for ?actor=, table=, row=, incident=, since= and until= (ISO, UTC); what cannot be read filters nothing."""
    found = AuditEntry.objects.all()
    if actor := query.get("actor", "").strip():
        found = found.filter(actor=actor)
    if table := query.get("table", ""):
        found = found.filter(table=table)
    if row := query.get("row", "").strip():
        found = found.filter(row_id=row)
    if incident := query.get("incident", "").strip().upper().removeprefix("INC-"):
        found = found.filter(_of_incident(int(incident)) if incident.isdecimal() and len(incident) < 19 else Q(pk=None))
    if since := _time(query.get("since", "")):
        found = found.filter(at__gte=since)
    if until := _time(query.get("until", "")):
        found = found.filter(at__lte=until)
    return found


def _of_incident(pk: int) -> Q:
    """Return what finds the incident's entries and those of its roles, tasks, updates and watches that still are."""
    rows = Q(table=Incident._meta.db_table, row_id=str(pk))
    for model in _OF_AN_INCIDENT:
        own = [str(key) for key in model._default_manager.filter(incident=pk).values_list("pk", flat=True)]
        rows |= Q(table=model._meta.db_table, row_id__in=own)
    return rows


def _time(text: str) -> datetime | None:
    try:
        found = parse_datetime(text.strip())
    except ValueError:
        return None
    return timezone.make_aware(found) if found and timezone.is_naive(found) else found


def _shown(entry: AuditEntry) -> ShownEntry:
    before, after = entry.before or {}, entry.after or {}
    return ShownEntry(
        at=entry.at,
        actor=entry.actor,
        action={"insert": "added", "update": "changed", "delete": "removed"}.get(entry.action, entry.action),
        what=TABLES.get(entry.table, entry.table),
        table=entry.table,
        row_id=entry.row_id,
        number=entry.number,
        changes=tuple(
            ShownChange(column, _value(before.get(column)), _value(after.get(column)))
            for column in sorted({*before, *after} - {"id"})
            if before.get(column) not in (None, "", [], {}) or after.get(column) not in (None, "", [], {})
        ),
    )


def _value(value: object) -> str:
    text = "" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= SHOWN_VALUE else f"{text[:SHOWN_VALUE]}…"
