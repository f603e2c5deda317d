"""GitLab's deployment events. Source: GitLab documentation, webhook events."""

from typing import Any

from incidents.intake import notices
from incidents.intake.documents import as_text, clean
from incidents.intake.formats.github import FAILED, STARTED, SUCCEEDED
from incidents.intake.notices import ChangeNotice, Given, Reading, UnusableDelivery

STATUSES = {"running": STARTED, "created": STARTED, "success": SUCCEEDED, "failed": FAILED, "canceled": FAILED}


def read(document: Any, given: Given) -> Reading:
    """Return the deployment as a change; other events say that they are none."""
    if not isinstance(document, dict):
        raise UnusableDelivery("The event is not an object.")
    if document.get("object_kind") != "deployment":
        kind = clean(as_text(document.get("object_kind")) or given.event, most_bytes=60)
        return Reading(ignored=f"The event {kind!r} tells of no deployment.")
    project = document.get("project")
    names = project if isinstance(project, dict) else {}
    service = clean(as_text(names.get("name")) or "unknown", most_bytes=notices.SERVICE)
    reference, commit = as_text(document.get("ref")), as_text(document.get("short_sha"))
    version = clean(reference if "." in reference or not commit else commit, most_bytes=100)
    environment = clean(as_text(document.get("environment")), most_bytes=notices.ENVIRONMENT)
    person = document.get("user")
    number = as_text(document.get("deployment_id"))
    change = ChangeNotice(
        service=service,
        title=clean(f"Deploy {service} {version}{f' to {environment}' if environment else ''}", most_bytes=300),
        at=notices.time_of(_with_offset(as_text(document.get("status_changed_at"))), now=given.now),
        status=STATUSES.get(as_text(document.get("status")), STARTED),
        version_after=version,
        environment=environment,
        author=clean(as_text(person.get("username")), most_bytes=150) if isinstance(person, dict) else "",
        link=notices.web_link(document.get("deployable_url")) or notices.web_link(document.get("commit_url")),
        external_id=clean(f"gitlab:{as_text(names.get('path_with_namespace'))}:{number}", most_bytes=200)
        if number
        else "",
    )
    return Reading(changes=(change,))


def _with_offset(text: str) -> str:
    """GitLab writes `2026-11-22 02:40:00 +0200`, with a space before the offset that ISO 8601 has not."""
    head, _, offset = text.rpartition(" ")
    return head + offset if offset[:1] in ("+", "-") else text
