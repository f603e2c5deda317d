"""Argo CD notifications, through the template that the source's page offers: the application object under `app`.

Source: Argo CD documentation, notifications, webhook service; the Application resource.
"""

from typing import Any

from incidents.intake import notices
from incidents.intake.documents import as_text, clean
from incidents.intake.formats.github import FAILED, STARTED, SUCCEEDED
from incidents.intake.notices import ChangeNotice, Given, Reading, UnusableDelivery

PHASES = {"Running": STARTED, "Terminating": STARTED, "Succeeded": SUCCEEDED, "Failed": FAILED, "Error": FAILED}


def read(document: Any, given: Given) -> Reading:
    """Return the synchronisation as a change. Raises UnusableDelivery when `app` is no Application."""
    app = document.get("app") if isinstance(document, dict) else None
    name = as_text(_at(app, "metadata", "name"))
    if not name:
        raise UnusableDelivery("`app.metadata.name` is missing; use the template on this source's page.")
    operation = _at(app, "status", "operationState")
    revision = as_text(_at(operation, "syncResult", "revision") or _at(app, "status", "sync", "revision"))
    images = _at(app, "status", "summary", "images")
    version = _tag(images) or revision[:8]
    service = clean(as_text(_at(app, "metadata", "labels", "service")) or name, most_bytes=notices.SERVICE)
    environment = clean(as_text(_at(app, "spec", "destination", "namespace")), most_bytes=notices.ENVIRONMENT)
    started = as_text(_at(operation, "startedAt"))
    change = ChangeNotice(
        service=service,
        title=clean(f"Sync {name} to {version or 'a new state'}", most_bytes=300),
        at=notices.time_of(started, now=given.now),
        status=PHASES.get(as_text(_at(operation, "phase")), STARTED),
        version_after=clean(version, most_bytes=100),
        environment=environment,
        author=clean(as_text(_at(operation, "operation", "initiatedBy", "username")), most_bytes=150),
        link=notices.web_link(document.get("link")),
        external_id=clean(f"argocd:{name}:{started}", most_bytes=200) if started else "",
    )
    return Reading(changes=(change,))


def _tag(images: object) -> str:
    """Return the tag of the application's image when it has just one."""
    if not isinstance(images, list) or len(images) != 1:
        return ""
    name = as_text(images[0]).rpartition("/")[2].partition("@")[0]
    return clean(name.partition(":")[2], most_bytes=100)


def _at(value: object, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
