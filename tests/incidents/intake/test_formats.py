import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.intake import formats
from incidents.intake.documents import MalformedDocument, mask_document
from incidents.intake.formats import generic
from incidents.intake.notices import Reading, UnusableDelivery
from tests.incidents.intake import senders
from tests.incidents.intake.senders import NOW


def read(kind: str, document: Any, *, event: str = "", mapping: dict[str, str] | None = None) -> Reading:
    return formats.read_document(kind, document, event=event, mapping=mapping or {}, now=NOW)


def test_alertmanager_says_how_many_alerts_it_left_out() -> None:
    reading = read("alertmanager", senders.alertmanager(senders.alert(), truncatedAlerts=12))
    assert reading.problems == ("The sender left out 12 alerts (`max_alerts`).",)
    assert reading.refused == 0


def test_grafana_leads_to_its_panel() -> None:
    one = {
        **senders.alert(),
        "panelURL": "https://grafana.shop.example/d/1?viewPanel=2",
        "silenceURL": "javascript:alert(1)",
    }
    [alert] = read("grafana", senders.alertmanager(one)).alerts
    assert alert.link == "https://grafana.shop.example/d/1?viewPanel=2"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", " https://a b", "//x", 7, None, {"a": 1}])
def test_only_web_addresses_become_links(link: Any) -> None:
    [alert] = read("alertmanager", senders.alertmanager({**senders.alert(), "generatorURL": link})).alerts
    assert alert.link == ""


def test_gitlab() -> None:
    document = {
        "object_kind": "deployment",
        "status": "running",
        "status_changed_at": "2026-11-22 03:40:00 +0100",
        "deployment_id": 15,
        "deployable_url": "https://gitlab.shop.example/shop/cart/-/jobs/79",
        "environment": "staging",
        "project": {"name": "cart", "path_with_namespace": "shop/cart"},
        "short_sha": "279484c0",
        "ref": "main",
        "user": {"username": "jonas"},
    }
    [change] = read("gitlab", document).changes
    assert (change.service, change.version_after, change.status, change.environment) == (
        "cart",
        "279484c0",
        "started",
        "staging",
    )
    assert change.at == NOW - timedelta(minutes=20)
    assert (change.external_id, change.author) == ("gitlab:shop/cart:15", "jonas")
    assert read("gitlab", {"object_kind": "push"}).ignored


def test_argocd() -> None:
    app = {
        "metadata": {"name": "payments", "labels": {"service": "payments"}},
        "spec": {"destination": {"namespace": "production"}},
        "status": {
            "operationState": {
                "phase": "Succeeded",
                "startedAt": senders.iso(NOW),
                "syncResult": {"revision": "53e28ff20cc530b9ada2173fbbd64d48338583ba"},
            },
            "summary": {"images": ["registry.shop.example/payments:2.14.0"]},
        },
    }
    [change] = read("argocd", {"app": app, "link": "https://argocd.shop.example/payments"}).changes
    assert (change.service, change.version_after, change.status, change.at) == ("payments", "2.14.0", "succeeded", NOW)
    with pytest.raises(UnusableDelivery, match="template"):
        read("argocd", {"message": "synced"})


def test_json_with_our_own_names_needs_no_mapping() -> None:
    [alert] = read("generic", {"name": "Queue grows", "status": "ok", "priority": "P2", "at": 1_795_316_400}).alerts
    assert (alert.name, alert.status, alert.severity) == ("Queue grows", "resolved", 2)
    [change] = read("generic-change", {"service": "cart", "version": "1.2", "state": "finished"}).changes
    assert (change.title, change.kind, change.status) == ("Change of cart 1.2", "deploy", "succeeded")


NAGIOS = {
    "hosts": [
        {
            "host": {"name": "db-1"},
            "check": "disk /var",
            "output": "96 % used",
            "level": "CRITICAL",
            "when": "22.11.2026",
        },
        {"host": {"name": "db-2"}, "check": "", "output": "", "level": "OK"},
    ]
}
MAPPING = {
    "items": "hosts",
    "name": "check",
    "summary": "output",
    "severity": "level",
    "status": "level",
    "service": "host.name",
}


def test_a_mapping_finds_what_others_call_otherwise() -> None:
    reading = read("generic", NAGIOS, mapping=MAPPING)
    [alert] = reading.alerts
    assert (alert.name, alert.service, alert.severity, alert.status) == ("disk /var", "db-1", 1, "firing")
    assert reading.problems == ("item 1: no name was found; map `name`.",)


def test_a_trial_shows_each_field_or_what_is_wrong_with_it() -> None:
    rows = {
        row.name: row
        for row in generic.trial(NAGIOS, {**MAPPING, "at": "when", "labels": "check"}, is_change=False, now=NOW)
    }
    assert rows["items"].value == "2 found"
    assert rows["severity"].value == "CRITICAL → SEV 1"
    assert rows["status"].value == "CRITICAL → firing"
    assert "no time" in rows["at"].error
    assert "object" in rows["labels"].error
    assert rows["team"].is_default
    [status] = [
        row
        for row in generic.trial({"name": "x", "state": "weird"}, {}, is_change=False, now=NOW)
        if row.name == "status"
    ]
    assert "map `status`" in status.error


@pytest.mark.parametrize("expression", ["a..b", "a[", "nothing(@)", "x" * 301])
def test_an_expression_that_is_none_is_refused(expression: str) -> None:
    with pytest.raises(generic.BadExpression):
        generic.checked({"name": expression}, fields=generic.ALERT_FIELDS)


def test_a_function_that_does_not_fit_the_value_is_that_items_problem() -> None:
    reading = read("generic", {"name": 7}, mapping={"name": "join(',', name)"})
    assert reading.refused == 1
    assert reading.problems[0].startswith("item 0: name:")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "alerts",
                    "labels",
                    "status",
                    "payload",
                    "deployment",
                    "app",
                    "name",
                    "startsAt",
                    "links",
                    "repository",
                ]
            )
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(
    document=JSON, kind=st.sampled_from(sorted(formats.READERS)), event=st.sampled_from(["", "change", "deployment"])
)
def test_any_json_is_read_or_refused_with_a_reason(document: Any, kind: str, event: str) -> None:
    body = json.dumps(document).encode()
    with contextlib.suppress(MalformedDocument, UnusableDelivery):
        reading = formats.read(kind, formats.Delivery(body, event=event), mapping={}, now=NOW)
        assert all(len(alert.fingerprint) <= 64 and len(alert.name) <= 200 for alert in reading.alerts)


def test_secrets_are_masked_wherever_they_stand() -> None:
    document = {
        "password": "hunter2",
        "alerts": [{"name": "x", "secret": 12345}, {"name": "mail ann@example.com", "nested": [{"pwd": "hunter3"}]}],
        "one": [{"api_key": "hunter4"}],
        "texts": ["Authorization: Bearer abcDEF123456789", 7, None],
    }
    masked = json.dumps(mask_document(document))
    for secret in ("hunter", "12345", "ann@example", "abcDEF"):
        assert secret not in masked, secret
    assert mask_document([document])[0] == mask_document(document)
