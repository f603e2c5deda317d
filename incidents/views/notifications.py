"""What a person was told, what they follow, and where else they are told."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from incidents import delivery, teamwork
from incidents.lifecycle import NotPossible
from incidents.models import Incident, Notification, NotificationChannel, Watch

may_see = permission_required("incidents.view_incident", raise_exception=True)

SHOWN = 100


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """One place to be told at; `secret` signs a webhook's messages, "" for e-mail; `failure` is the newest one."""

    pk: int
    kind: str
    target: str
    secret: str
    failure: str


@may_see
@require_GET
@never_cache
def notifications(request: HttpRequest) -> HttpResponse:
    """Show what the person was told, newest first, what they follow, and their channels."""
    me = _me(request)
    told = Notification.objects.filter(user=me, channel=None).select_related("incident").order_by("-created_at")
    visible = set(Incident.objects.visible_to(me).filter(notifications__user=me).values_list("pk", flat=True))
    context = {
        "told": [one for one in told[:SHOWN] if one.incident_id is None or one.incident_id in visible],
        "unread": teamwork.unread_count(me),
        "watches": me.watches.select_related("incident").order_by("-created_at")[: teamwork.MOST_WATCHES],
        "channels": [_channel(one) for one in me.notification_channels.order_by("kind", "target")],
        "severities": (1, 2, 3, 4),
    }
    return render(request, "incidents/notifications.html", context)


@may_see
@require_GET
@never_cache
def notifications_unread(request: HttpRequest) -> HttpResponse:
    """Return the bell with how much is unread: open pages ask for it when they are told that something came."""
    return render(request, "incidents/bell.html", {"unread": teamwork.unread_count(_me(request))})


@may_see
@require_POST
def notifications_read(request: HttpRequest) -> HttpResponse:
    """Mark everything read."""
    teamwork.mark_read(_me(request), now=timezone.now())
    return redirect("notifications")


@may_see
@require_POST
def watch_add(request: HttpRequest) -> HttpResponse:
    """Follow every incident of a service, or all of them, from a severity on."""
    me, level = _me(request), request.POST.get("severity", "4")
    severity = int(level) if level in {"1", "2", "3", "4"} else 4
    try:
        teamwork.watch(me, service=request.POST.get("service", ""), at_least_severity=severity, now=timezone.now())
    except NotPossible as error:
        messages.error(request, str(error))
    return redirect("notifications")


@may_see
@require_POST
def watch_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop following something."""
    get_object_or_404(Watch, pk=pk, user=_me(request)).delete()
    return redirect("notifications")


@may_see
@require_POST
def channel_add(request: HttpRequest) -> HttpResponse:
    """Be told by e-mail or webhook too."""
    me, kind = _me(request), request.POST.get("kind", "")
    try:
        target = delivery.check_target(kind, request.POST.get("target", ""))
        teamwork.add_channel(me, kind=kind, target=target, now=timezone.now())
    except NotPossible as error:
        messages.error(request, str(error))
    return redirect("notifications")


@may_see
@require_POST
def channel_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """No longer be told there."""
    get_object_or_404(NotificationChannel, pk=pk, user=_me(request)).delete()
    return redirect("notifications")


def _me(request: HttpRequest) -> User:
    return get_object_or_404(User, pk=request.user.pk)


def _channel(channel: NotificationChannel) -> ShownChannel:
    newest = Notification.objects.filter(channel=channel).order_by("-created_at").first()
    is_webhook = channel.kind == NotificationChannel.Kind.WEBHOOK
    return ShownChannel(
        pk=channel.pk,
        kind=channel.get_kind_display(),
        target=channel.target,
        secret=delivery.signing_key(channel) if is_webhook else "",
        failure=newest.failure if newest is not None and newest.sent_at is None else "",
    )
