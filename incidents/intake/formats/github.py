"""GitHub's webhooks `deployment` and `deployment_status`. Source: GitHub documentation, webhook events and payloads."""

from collections.abc import Mapping
from typing import Any

from incidents.intake import notices
from incidents.intake.documents import as_text, clean
from incidents.intake.notices import ChangeNotice, Given, Reading, UnusableDelivery

STARTED, SUCCEEDED, FAILED = "started", "succeeded", "failed"
STATUSES = {
    **dict.fromkeys(("queued", "pending", "waiting", "in_progress", "requested", "created"), STARTED),
    **dict.fromkeys(("success", "inactive"), SUCCEEDED),
    **dict.fromkeys(("failure", "error"), FAILED),
}


def read(document: Any, given: Given) -> Reading:
    """Return the deployment as a change; other events than deployments are none of our business and say so."""
    deployment = document.get("deployment") if isinstance(document, dict) else None
    if not isinstance(deployment, dict):
        if given.event in ("deployment", "deployment_status"):
            raise UnusableDelivery("`deployment` is missing; send GitHub's own JSON.")
        return Reading(ignored=f"The event {clean(given.event, most_bytes=60)!r} tells of no deployment.")
    status = document.get("deployment_status")
    state = as_text(status.get("state")) if isinstance(status, dict) else "created"
    repository = document.get("repository")
    names = repository if isinstance(repository, dict) else {}
    service, version = _service(deployment, names), _version(deployment)
    environment = clean(as_text(deployment.get("environment")), most_bytes=notices.ENVIRONMENT)
    link = notices.web_link(status.get("log_url") or status.get("target_url")) if isinstance(status, dict) else ""
    change = ChangeNotice(
        service=service,
        title=clean(f"Deploy {service} {version}{f' to {environment}' if environment else ''}", most_bytes=300),
        at=notices.time_of(deployment.get("created_at"), now=given.now),
        kind="rollback" if "rollback" in as_text(deployment.get("task")).lower() else "deploy",
        status=STATUSES.get(state.lower(), STARTED),
        version_after=version,
        environment=environment,
        author=_login(deployment.get("creator")),
        link=link or notices.web_link(names.get("html_url")),
        external_id=clean(f"github:{as_text(names.get('full_name'))}:{as_text(deployment.get('id'))}", most_bytes=200)
        if deployment.get("id")
        else "",
    )
    return Reading(changes=(change,))


def _service(deployment: Mapping[str, Any], repository: Mapping[str, Any]) -> str:
    """A monorepo names the service in the deployment's payload; otherwise the repository is it."""
    payload = deployment.get("payload")
    told = as_text(payload.get("service")) if isinstance(payload, dict) else ""
    return clean(told or as_text(repository.get("name")) or "unknown", most_bytes=notices.SERVICE)


def _version(deployment: Mapping[str, Any]) -> str:
    """The tag or branch that was deployed; a full commit id is shortened as Git does."""
    reference, commit = as_text(deployment.get("ref")), as_text(deployment.get("sha"))
    return clean(commit[:8] if not reference or reference == commit else reference, most_bytes=100)


def _login(person: object) -> str:
    return clean(as_text(person.get("login")), most_bytes=150) if isinstance(person, dict) else ""
