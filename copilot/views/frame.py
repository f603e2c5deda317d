"""What every page shows around its content."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from copilot.views.saved_views import views_of
from incidents.models import Incident
from incidents.teamwork import unread_count

SETTINGS_PAGES = (
    "people",
    "person",
    "audit",
    "operations",
    "token",
    "dead-letter",
    "source",
    "silence",
    "rule",
    "topology",
    "team",
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return, for the rail, which section the page is in, how many incidents nobody has acknowledged, and what is unread.

    The counts are asked for only when a template shows them.
    """
    return {
        "section": _section(request),
        "waiting_incidents": SimpleLazyObject(lambda: _waiting(request)),
        "unread_notifications": SimpleLazyObject(lambda: _unread(request)),
        "saved_views": SimpleLazyObject(lambda: views_of(request.user)),
    }


def _waiting(request: HttpRequest) -> int:
    return Incident.objects.visible_to(request.user).filter(status=Incident.Status.OPEN).count()


def _unread(request: HttpRequest) -> int:
    return unread_count(request.user) if isinstance(request.user, User) else 0


def _section(request: HttpRequest) -> str:
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    if name.startswith("runbook"):
        return "runbooks"
    if name.startswith("trends"):
        return "trends"
    if name.startswith(SETTINGS_PAGES):
        return "settings"
    return "account" if name == "account" else "incidents"
