"""Who may use an operation of the API: a token with the scope, of a person with the permission."""

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from copilot import actor, api_tokens
from copilot.api.problems import Problem
from copilot.models import ApiToken
from incidents.models import Incident


class Needs(HttpBearer):
    """Lets a request in whose token has the scope and whose person has the permission."""

    def __init__(self, scope: str, permission: str) -> None:
        super().__init__()
        self.scope = scope
        self.permission = permission

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """Return the token, None for 401. Raises Problem (403) when it may not do this."""
        found = api_tokens.find(token, now=timezone.now())
        if found is None:
            return None
        if self.scope not in found.scopes:
            has = ", ".join(found.scopes)
            raise Problem(403, f"This token has the scope {has}; this needs {self.scope}. Make another token.")
        if not found.user.has_perm(self.permission):
            raise Problem(403, f"{found.user.username} does not have the permission {self.permission}.")
        request.user = found.user
        if request.method not in actor.SAFE:
            actor.begin(found.user.get_username())
        return found


READ = Needs("read", "incidents.view_incident")
RESPOND = Needs("respond", "incidents.respond_to_incident")
FOLLOW = Needs("respond", "incidents.view_incident")  # one's own notifications
SILENCE = Needs("respond", "incidents.silence_alerts")
READ_RUNBOOKS = Needs("read", "runbooks.view_document")
READ_SOURCES = Needs("read", "incidents.manage_sources")
READ_AUDIT = Needs("read", "copilot.view_audit")
READ_TRENDS = Needs("read", "incidents.view_trends")
UNMASK = Needs("respond", "copilot.unmask_personal_data")
SET_UP = Needs("manage", "incidents.manage_sources")
MANAGE_PEOPLE = Needs("manage", "copilot.manage_people")
NOBODY_YET = Needs("manage", "copilot.manage_people")  # what an operation gets that says nothing: the fewest may


def person(request: HttpRequest) -> User:
    """Return whose token it is."""
    if not isinstance(request.user, User):
        raise Problem(401, "Send a token.")
    return request.user


def incident_of(request: HttpRequest, number: int) -> Incident:
    """Return the incident, if the token's person may see it. Raises Http404."""
    found = Incident.objects.visible_to(person(request)).select_related("team").filter(pk=number).first()
    if found is None:
        raise Http404(f"There is no incident {number} that you may see.")
    return found
