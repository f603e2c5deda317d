"""Alerts as they came: the list, one alert with its history, and letting a held one count."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from incidents import noise
from incidents.models import Alert, AlertSource
from incidents.views import alert_reading
from incidents.views.alert_reading import Narrowing, visible

may_view = permission_required("incidents.view_incident", raise_exception=True)
may_silence = permission_required("incidents.silence_alerts", raise_exception=True)
SHOWN_EVENTS, SHOWN_DECISIONS = 50, 20
STATUSES = (("firing", "Firing"), ("resolved", "Resolved"), ("all", "All"))
QUIETS = (("", "All"), ("counts", "Those that count"), ("quiet", "Those kept quiet"))


@may_view
@require_GET
def alert_list(request: HttpRequest) -> HttpResponse:
    """The alerts, narrowed as the address says."""
    asked = {name: request.GET.get(name, "")[:300].replace("\x00", "") for name in Narrowing.__dataclass_fields__}
    by = Narrowing(**{**asked, "status": asked["status"] or "firing"})
    found = alert_reading.page(request.user, by, before=request.GET.get("before", "")[:80])
    kept = {name: value for name, value in asked.items() if value}
    context: dict[str, Any] = {
        "section": "alerts",
        "alerts": found.alerts,
        "older": urlencode({**kept, "before": found.older}) if found.older else "",
        "counts": alert_reading.counts(request.user),
        "by": by,
        "statuses": _choices("status", STATUSES, chosen=by.status, kept=kept),
        "quiets": _choices("quiet", QUIETS, chosen=by.quiet, kept=kept),
        "sources": AlertSource.objects.values_list("name", flat=True),
        "searched": alert_reading.SEARCHED,
        "is_narrowed": bool(kept),
    }
    return render(request, "incidents/alerts.html", context)


@may_view
@require_GET
def alert_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: what it says, when it fired, and what was decided about it."""
    alert = get_object_or_404(visible(request.user).select_related("source", "incident"), pk=pk)
    context = {
        "section": "alerts",
        "alert": alert,
        "events": alert.events.order_by("-at", "-pk")[:SHOWN_EVENTS],
        "decisions": alert.grouping_decisions.filter(is_shadow=False)[:SHOWN_DECISIONS],
        "hold": alert.holds.first(),
        "skew": _skew(alert),
        "snooze": urlencode({"matchers": _matchers(alert)}),
    }
    return render(request, "incidents/alert.html", context)


@may_silence
@require_POST
def alert_release(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a held alert count at once."""
    alert = get_object_or_404(visible(request.user), pk=pk)
    if noise.release(alert, by=request.user.get_username(), now=timezone.now()):
        messages.success(request, "It counts now: it opens or joins an incident within seconds.")
    else:
        messages.info(request, "It was not held any more.")
    return redirect("alert-page", pk=pk)


def _choices(
    name: str, choices: tuple[tuple[str, str], ...], *, chosen: str, kept: dict[str, str]
) -> list[dict[str, Any]]:
    return [
        {"label": label, "query": urlencode({**kept, name: value}), "is_on": value == chosen}
        for value, label in choices
    ]


def _matchers(alert: Alert) -> str:
    told = (("name", alert.name), ("service", alert.service), ("environment", alert.environment))
    return "\n".join(f"{name}={value}" for name, value in told if value)


def _skew(alert: Alert) -> str:
    """Say what is odd about the sender's clock, in words; nothing when it agrees with ours."""
    seconds = abs(alert.clock_skew_seconds)
    if not seconds:
        return ""
    span = f"{seconds / 3_600:.1f} h" if seconds >= 3_600 else f"{seconds / 60:.0f} min"
    if alert.clock_skew_seconds > 0:
        return f"clock skew: the sender's clock is at least {span} ahead of ours"
    return f"told {span} after it began: late, or the sender's clock is behind ours"
