"""The API put together, and its addresses."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI

from copilot.api import (
    administration,
    answers,
    catalog,
    causes,
    incidents,
    investigations,
    knowledge,
    notifications,
    problems,
    records,
    rules,
    sources,
    trends,
    work,
)
from copilot.api.access import NOBODY_YET
from copilot.api.replies import around
from copilot.api.throttle import TokenThrottle

REQUESTS_A_MINUTE = 600  # of one token
DESCRIPTION = frozenset({"openapi-json", "openapi-view"})

api = NinjaAPI(
    title="Co-pilot",
    version="1",
    description=(
        "Incidents, alerts, runbooks and trends for programs. Send `Authorization: Bearer …` with a token from Settings, API tokens. "
        "Lists come in pages: follow `next`. A change with `Idempotency-Key` happens once, with `If-Match` only to the version you read. "
        "What is refused says why as RFC 9457 problem details."
    ),
    urls_namespace="api-1",
    auth=NOBODY_YET,
    throttle=[TokenThrottle(a_minute=REQUESTS_A_MINUTE)],
)
problems.install(api)
for part in (
    work,
    answers,
    causes,
    incidents,
    investigations,
    records,
    sources,
    catalog,
    rules,
    notifications,
    administration,
    knowledge,
    trends,
):
    api.add_router("", part.router)


def addresses() -> tuple[list[URLPattern], str, str]:
    """Return the API's URL patterns for `path`; operations want a token, the description a signed-in person."""
    patterns, app, namespace = api.urls
    own = [pattern for pattern in patterns if isinstance(pattern, URLPattern)]
    for pattern in own:
        if pattern.name not in DESCRIPTION and pattern.callback is not None:
            pattern.callback = csrf_exempt(login_not_required(around(pattern.callback)))
    return own, app, namespace
