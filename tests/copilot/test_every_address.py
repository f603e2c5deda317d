"""Every address of the site, walked as nobody and as each role: who may open it, who may change something there, and that GET changes nothing.

A new address fails here until it is decided below who may use it.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from copilot import people
from copilot.models import AuditEntry
from incidents.models import Incident
from tests import cast

pytestmark = pytest.mark.django_db

ROLES = ("viewer", "responder", "SRE", "manager", "administrator")
EVERYBODY = frozenset(ROLES)
RESPONDERS = frozenset({"responder", "SRE", "administrator"})
SETTERS = frozenset({"SRE", "administrator"})
AUDITORS = frozenset({"manager", "administrator"})
ADMINISTRATORS = frozenset({"administrator"})
TRENDS = frozenset({"SRE", "manager", "administrator"})
# Open without signing in: the door, health, and what programs send to, which have tokens of their own.
OPEN = {
    "login", "sign-in", "health-live", "health-ready", "metrics", "otlp-traces", "otlp-logs", "otlp-metrics",
    "deliver", "deliver-by-address", "pagerduty-event", "pagerduty-change", "api-1:api-root",
}  # fmt: skip
# Addresses that everybody may use who is signed in, with a role or without.
OWN = {"logout", "account", "account-choose", "home", "settings", "api-1:openapi-json", "api-1:openapi-view"}
# Name (a beginning ends with *) → who may. The longest that fits decides.
MAY: dict[str, frozenset[str]] = {
    "incident-list": EVERYBODY,
    "board-*": RESPONDERS,
    "incident-*": RESPONDERS,
    "incident-page": EVERYBODY,
    "incident-part": EVERYBODY,
    "incident-events": EVERYBODY,
    "incident-briefs": EVERYBODY,
    "incident-watch": EVERYBODY,
    "evidence-page": EVERYBODY,
    "message": EVERYBODY,
    "comparison": EVERYBODY,
    "run-again": RESPONDERS,
    "ask": RESPONDERS,
    "attach": RESPONDERS,
    "attachment": EVERYBODY,
    "explain": RESPONDERS,
    "retry": RESPONDERS,
    "withdraw": RESPONDERS,
    "judge": RESPONDERS,
    "steer": RESPONDERS,
    "stop": RESPONDERS,
    "citation": EVERYBODY,
    "unmask": SETTERS,
    "view-*": EVERYBODY,
    "notification*": EVERYBODY,
    "people": ADMINISTRATORS,
    "person-*": ADMINISTRATORS,
    "audit": AUDITORS,
    "token*": EVERYBODY,
    "models": EVERYBODY,
    "operations": SETTERS,
    "dead-letter-retry": SETTERS,
    "runbook-*": SETTERS,
    "runbook-list": EVERYBODY,
    "runbook-page": EVERYBODY,
    "source*": SETTERS,
    "alert*": EVERYBODY,
    "alert-release": RESPONDERS,
    "alert-never-hold": RESPONDERS,
    "channel-*": EVERYBODY,
    "watch-*": EVERYBODY,
    "signal-*": EVERYBODY,
    "signal-verdict": RESPONDERS,
    "silence*": RESPONDERS,
    "silence-list": EVERYBODY,
    "rule*": SETTERS,
    "topology": EVERYBODY,
    "edge-*": SETTERS,
    "team*": SETTERS,
    "team-list": EVERYBODY,
    "trends*": TRENDS,
}
NOT_ALLOWED = 403
FINE = {200, 202, 204, 302, 303, 400, 404, 405, 409, 410, 422}


def addresses() -> Iterator[tuple[str, str]]:
    """Every name with a path that leads there; staff's own administration and the API's operations are walked elsewhere."""
    yield from _below(get_resolver().url_patterns, "", "")


def _below(patterns: list[Any], path: str, namespace: str) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        route = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            if pattern.namespace != "admin":
                yield from _below(pattern.url_patterns, route, inner)
        elif isinstance(pattern, URLPattern):
            name = f"{namespace}{pattern.name}"
            if not (route.startswith("api/") and name not in OWN):
                yield name, "/" + re.sub(r"<(\w+:)?(\w+)>", _example, route)


def _example(part: re.Match[str]) -> str:
    named = {"verb": "acknowledge", "part": "timeline", "evidence_id": "E1", "token": "x", "slug": "x", "what": "tags"}
    return named.get(part[2], "999999" if part[1] == "int:" else "x")


def allowed(name: str) -> frozenset[str]:
    fits = [each for each in MAY if name == each or (each.endswith("*") and name.startswith(each[:-1]))]
    assert fits, f"decide in MAY who may use the address {name!r}"
    return MAY[max(fits, key=lambda each: (not each.endswith("*"), len(each)))]


ADDRESSES = sorted(set(addresses()))


@pytest.mark.parametrize(("name", "path"), ADDRESSES, ids=[name for name, _ in ADDRESSES])
def test_who_may_use_it(name: str, path: str) -> None:
    nobody = Client(raise_request_exception=False)
    if name in OPEN:
        assert nobody.get(path).status_code < 500 or name == "health-ready"
        return
    for method in (nobody.get, nobody.post):
        answer = method(path)
        assert (answer.status_code, answer.headers.get("Location", "").startswith("/login/")) in {
            (302, True),
            (405, False),
        } or name in OWN, name
    if name in OWN:
        return
    roleless = cast.person("somebody")
    may = allowed(name)
    for role in ("", *ROLES):
        if role:
            people.give_role(roleless, role=role)
        browser = Client(raise_request_exception=False)
        browser.force_login(User.objects.get(pk=roleless.pk))
        for method in (browser.get, browser.post):
            status = method(path).status_code
            expected = FINE if role in may else {NOT_ALLOWED, 405}
            assert status in expected, f"{method.__name__} {path} as {role or 'nobody in particular'}: {status}"  # type: ignore[attr-defined]


def test_reading_changes_nothing() -> None:
    cast.investigated(incident := cast.incident())
    browser = Client(raise_request_exception=False)
    browser.force_login(cast.person("ada", "administrator"))
    before = (AuditEntry.objects.count(), list(Incident.objects.values_list()))
    for name, path in ADDRESSES:
        browser.get(path.replace("999999", str(incident.pk)))
        assert (AuditEntry.objects.count(), list(Incident.objects.values_list())) == before, name


def test_a_form_of_another_site_is_refused() -> None:
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(cast.person("ada", "administrator"))
    for name, path in ADDRESSES:
        if name not in OPEN - {"login", "sign-in"}:
            answer = browser.post(path, headers={"Origin": "https://evil.example"})
            assert answer.status_code in {403, 405}, name


def test_an_incident_of_others_is_not_there() -> None:
    """IDOR: every address that names an incident, asked by somebody who may not see that one."""
    incident = cast.incident(is_restricted=True)
    cast.investigated(incident)
    browser = Client(raise_request_exception=False)
    browser.force_login(cast.person("sre", "SRE"))
    for name, path in ADDRESSES:
        if path.startswith("/incidents/999999/"):
            for method in (browser.get, browser.post):
                status = method(path.replace("999999", str(incident.pk), 1)).status_code
                assert status in {403, 404, 405}, f"{name}: {status}"
