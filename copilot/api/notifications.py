"""What the token's person was told, what they follow, and where else they are told."""

from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from copilot.api.access import FOLLOW, READ, incident_of, person
from copilot.api.paging import Paging, answer, page
from copilot.api.problems import Problem
from copilot.api.setup_shapes import ChannelBody, ChannelShape, NotificationShape, WatchBody, WatchShape
from copilot.api.shapes import REFUSALS, PageShape, ProblemShape
from incidents import delivery, teamwork
from incidents.models import Incident, Notification, NotificationChannel, Watch

router = Router(tags=["notifications"])


@router.get("/notifications", auth=READ, response={200: PageShape[NotificationShape], REFUSALS: ProblemShape})
def list_notifications(request: HttpRequest, paging: Query[Paging], unread: bool = False) -> Any:
    """List what you were told, the newest first."""
    me = person(request)
    found = Notification.objects.filter(
        Q(incident=None) | Q(incident__in=Incident.objects.visible_to(me)), user=me, channel=None
    )
    if unread:
        found = found.filter(read_at=None)
    return answer(page(request, found, paging, newest_by="created_at"), _told)


@router.post("/notifications/read", auth=FOLLOW, response={204: None, REFUSALS: ProblemShape})
def read_notifications(request: HttpRequest) -> Any:
    """Mark everything read."""
    teamwork.mark_read(person(request), now=timezone.now())
    return Status(204, None)


@router.get("/watches", auth=READ, response={200: PageShape[WatchShape], REFUSALS: ProblemShape})
def list_watches(request: HttpRequest, paging: Query[Paging]) -> Any:
    """List what you follow, the newest first."""
    return answer(page(request, person(request).watches.all(), paging, newest_by="created_at"), _watch)


@router.post("/watches", auth=FOLLOW, response={201: WatchShape, REFUSALS: ProblemShape})
def add_watch(request: HttpRequest, body: WatchBody) -> Any:
    """Follow an incident, or every incident of a service or severity."""
    me = person(request)
    if body.incident is not None and body.service:
        raise Problem(422, "Give an incident or a service, not both.")
    made = teamwork.watch(
        me,
        incident=incident_of(request, body.incident) if body.incident is not None else None,
        service=body.service,
        at_least_severity=body.at_least_severity,
        now=timezone.now(),
    )
    return Status(201, _watch(made))


@router.delete("/watches/{int:watch_id}", auth=FOLLOW, response={204: None, REFUSALS: ProblemShape})
def remove_watch(request: HttpRequest, watch_id: int) -> Any:
    """Follow it no more."""
    if not person(request).watches.filter(pk=watch_id).delete()[0]:
        raise Http404(f"You have no watch {watch_id}.")
    return Status(204, None)


@router.get("/channels", auth=READ, response={200: PageShape[ChannelShape], REFUSALS: ProblemShape})
def list_channels(request: HttpRequest, paging: Query[Paging]) -> Any:
    """List where else you are told, the newest first."""
    found = person(request).notification_channels.all()
    return answer(page(request, found, paging, newest_by="created_at"), _channel)


@router.post("/channels", auth=FOLLOW, response={201: ChannelShape, REFUSALS: ProblemShape})
def add_channel(request: HttpRequest, body: ChannelBody) -> Any:
    """Be told by e-mail or webhook too."""
    target = delivery.check_target(body.kind, body.target)
    return Status(
        201, _channel(teamwork.add_channel(person(request), kind=body.kind, target=target, now=timezone.now()))
    )


@router.delete("/channels/{int:channel_id}", auth=FOLLOW, response={204: None, REFUSALS: ProblemShape})
def remove_channel(request: HttpRequest, channel_id: int) -> Any:
    """Be told there no more."""
    if not person(request).notification_channels.filter(pk=channel_id).delete()[0]:
        raise Http404(f"You have no channel {channel_id}.")
    return Status(204, None)


def _told(one: Notification) -> NotificationShape:
    return NotificationShape(
        id=one.pk,
        incident=one.incident_id,
        source=one.source_id,
        text=one.text,
        created_at=one.created_at,
        read_at=one.read_at,
    )


def _watch(one: Watch) -> WatchShape:
    return WatchShape(
        id=one.pk,
        incident=one.incident_id,
        service=one.service,
        at_least_severity=one.at_least_severity,
        created_at=one.created_at,
    )


def _channel(one: NotificationChannel) -> ChannelShape:
    return ChannelShape(id=one.pk, kind=one.kind, target=one.target, created_at=one.created_at)  # type: ignore[arg-type]
