"""What incidents are made of: alerts and changes; and what keeps alerts quiet."""

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status

from copilot.api.access import READ, SILENCE, person
from copilot.api.matchers import matchers_of
from copilot.api.paging import Paging, answer, page
from copilot.api.problems import Problem
from copilot.api.shapes import (
    REFUSALS,
    AlertShape,
    ChangeShape,
    PageShape,
    ProblemShape,
    SilenceBody,
    SilenceShape,
)
from incidents import noise
from incidents.models import Alert, Change, Incident, Silence
from incidents.noise import silences

router = Router(tags=["alerts and changes"])


class AlertFilter(Schema):
    """Which alerts."""

    status: str = Field("", max_length=10, description="firing or resolved")
    service: str = Field("", max_length=200)
    name: str = Field("", max_length=200)
    source: str = Field("", max_length=100)
    quiet: bool | None = Field(None, description="true: only those held back; false: only those that count")
    incident: int | None = None


class ChangeFilter(Schema):
    """Which changes."""

    service: str = Field("", max_length=200)
    since: datetime | None = None
    until: datetime | None = None


@router.get("/alerts", auth=READ, response={200: PageShape[AlertShape], REFUSALS: ProblemShape})
def list_alerts(request: HttpRequest, which: Query[AlertFilter], paging: Query[Paging]) -> Any:
    """List alerts, the last received first."""
    wanted = {
        "status": which.status,
        "service": which.service,
        "name": which.name,
        "source__name": which.source,
        "incident": which.incident,
    }
    found = _visible_alerts(request).filter(**{name: value for name, value in wanted.items() if value})
    if which.quiet is not None:
        found = found.exclude(quiet="") if which.quiet else found.filter(quiet="")
    return answer(page(request, found, paging, newest_by="last_received_at"), _alert)


@router.get("/alerts/{int:alert_id}", auth=READ, response={200: AlertShape, REFUSALS: ProblemShape})
def get_alert(request: HttpRequest, alert_id: int) -> Any:
    """Read one alert."""
    found = _visible_alerts(request).filter(pk=alert_id).first()
    if found is None:
        raise Http404(f"There is no alert {alert_id} that you may see.")
    return _alert(found)


@router.post("/alerts/{int:alert_id}/release", auth=SILENCE, response={200: AlertShape, REFUSALS: ProblemShape})
def release_alert(request: HttpRequest, alert_id: int) -> Any:
    """Let an alert that is held back count at once. Does nothing when it is not held."""
    found = _visible_alerts(request).filter(pk=alert_id).first()
    if found is None:
        raise Http404(f"There is no alert {alert_id} that you may see.")
    noise.release(found, by=person(request).get_username(), now=timezone.now())
    return _alert(_visible_alerts(request).get(pk=alert_id))


@router.get("/changes", auth=READ, response={200: PageShape[ChangeShape], REFUSALS: ProblemShape})
def list_changes(request: HttpRequest, which: Query[ChangeFilter], paging: Query[Paging]) -> Any:
    """List deploys and other changes, the latest first."""
    wanted = {"service": which.service, "at__gte": which.since, "at__lte": which.until}
    found = Change.objects.filter(**{name: value for name, value in wanted.items() if value})
    return answer(page(request, found, paging, newest_by="at"), _change)


@router.get("/silences", auth=READ, response={200: PageShape[SilenceShape], REFUSALS: ProblemShape})
def list_silences(request: HttpRequest, paging: Query[Paging], active: bool | None = None) -> Any:
    """List maintenance windows and snoozes, the latest to begin first."""
    now = timezone.now()
    running = Q(starts_at__lte=now, ends_at__gt=now, ended_early_at=None)
    found = Silence.objects.select_related("created_by")
    if active is not None:
        found = found.filter(running) if active else found.exclude(running)
    return answer(page(request, found, paging, newest_by="starts_at"), _silence)


@router.post("/silences", auth=SILENCE, response={201: SilenceShape, REFUSALS: ProblemShape})
def set_silence(request: HttpRequest, body: SilenceBody) -> Any:
    """Set a maintenance window or snooze. What fires already and counts keeps its incident."""
    now = timezone.now()
    wanted = silences.Wanted(
        kind=body.kind,
        reason=body.reason,
        matchers=matchers_of(body.matchers),
        starts_at=body.starts_at or now,
        ends_at=body.ends_at,
    )
    try:
        made = silences.set_silence(wanted, by=person(request), now=now)
    except silences.BadSilence as error:
        raise Problem(422, str(error)) from error
    return Status(201, _silence(made))


@router.delete("/silences/{int:silence_id}", auth=SILENCE, response={204: None, REFUSALS: ProblemShape})
def end_silence(request: HttpRequest, silence_id: int) -> Any:
    """End a silence now; alerts that it kept quiet and that still fire count again. Does nothing when it has ended."""
    found = Silence.objects.filter(pk=silence_id).first()
    if found is None:
        raise Http404(f"There is no silence {silence_id}.")
    silences.end(found, now=timezone.now())
    return Status(204, None)


def _visible_alerts(request: HttpRequest) -> QuerySet[Alert]:
    """Alerts of incidents that the person may not see stay out."""
    found = Alert.objects.select_related("source")
    user = person(request)
    if user.has_perm("incidents.view_restricted_incident"):
        return found
    hidden = Incident.objects.filter(is_restricted=True).exclude(pk__in=Incident.objects.visible_to(user).values("pk"))
    return found.exclude(incident__in=hidden)


def _alert(alert: Alert) -> AlertShape:
    plain = {name: getattr(alert, name) for name in AlertShape.model_fields if name not in {"id", "source", "incident"}}
    return AlertShape(id=alert.pk, source=alert.source.name, incident=alert.incident_id, **plain)


def _change(change: Change) -> ChangeShape:
    return ChangeShape(**{name: getattr(change, name) for name in ChangeShape.model_fields})


def _silence(silence: Silence) -> SilenceShape:
    plain = {name: getattr(silence, name) for name in SilenceShape.model_fields if name != "created_by"}
    return SilenceShape(created_by=silence.created_by.get_username() if silence.created_by else None, **plain)
