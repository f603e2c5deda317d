"""What every page shows around its content."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from incidents.models import Incident

SETTINGS_PAGES = ("people", "audit", "operations", "source", "silence", "rule", "topology", "team")


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return, for the rail, which section the page is in and how many incidents nobody has acknowledged.

    The count is asked for only when a template shows it.
    """
    return {
        "section": _section(request),
        "waiting_incidents": SimpleLazyObject(lambda: _waiting(request)),
    }


def _waiting(request: HttpRequest) -> int:
    return Incident.objects.visible_to(request.user).filter(status=Incident.Status.OPEN).count()


def _section(request: HttpRequest) -> str:
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    if name.startswith("runbook"):
        return "runbooks"
    if name.startswith(SETTINGS_PAGES):
        return "settings"
    return "account" if name == "account" else "incidents"
