"""What every page shows around its content."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from incidents.models import Incident


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return, for the rail, which section the page is in and how many incidents nobody has acknowledged.

    The count is asked for only when a template shows it.
    """
    return {
        "section": _section(request),
        "waiting_incidents": SimpleLazyObject(lambda: Incident.objects.filter(status=Incident.Status.OPEN).count()),
    }


def _section(request: HttpRequest) -> str:
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    if name.startswith("runbook"):
        return "runbooks"
    return "account" if name == "account" else "incidents"
