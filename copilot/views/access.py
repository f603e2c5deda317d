"""Who may do what on these pages. Every view says it with one of these, and reaches an incident through `incident_of`."""

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest

from incidents.models import Incident

may_see = permission_required("incidents.view_incident", raise_exception=True)
may_respond = permission_required("incidents.respond_to_incident", raise_exception=True)
may_operate = permission_required("incidents.manage_sources", raise_exception=True)
may_manage_people = permission_required("copilot.manage_people", raise_exception=True)
may_unmask = permission_required("copilot.unmask_personal_data", raise_exception=True)
may_audit = permission_required("copilot.view_audit", raise_exception=True)


def incident_of(request: HttpRequest, pk: int) -> Incident:
    """Return the incident, if the person may see it. Raises Http404: whether there is one is not told."""
    found = Incident.objects.visible_to(request.user).select_related("investigation").filter(pk=pk).first()
    if found is None:
        raise Http404(f"There is no incident INC-{pk} that you may see.")
    return found
