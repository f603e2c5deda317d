"""The webhooks through Django, in this process: who may deliver, what is answered, what is counted."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.test import Client

from incidents.intake import allowance, drops, signatures, tokens
from incidents.models import Alert, AlertSource, Change, DropCount, RawEvent, SourceToken
from tests.incidents.intake import senders
from tests.incidents.intake.senders import NOW

pytestmark = pytest.mark.django_db
BODY = json.dumps(senders.alertmanager(senders.alert())).encode()


@pytest.fixture
def sender() -> Client:
    return Client()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    allowance.forget()
    tokens.forget()
    with time_machine.travel(NOW, tick=False):
        yield
    drops.flush()
    allowance.forget()


def post(sender: Client, path: str = "/in/", body: bytes = BODY, **headers: str) -> Any:
    return sender.post(path, body, content_type="application/json", headers=headers)


def dropped() -> dict[tuple[str, str], int]:
    drops.flush()
    return {(row.source, row.reason): row.count for row in DropCount.objects.all()}


@pytest.mark.parametrize("way", ["bearer", "basic", "address", "gitlab"])
def test_a_token_is_taken_in_each_way_a_sender_can_give_it(sender: Client, way: str) -> None:
    _, token = senders.source()
    basic = base64.b64encode(f"anyone:{token}".encode()).decode()
    headers = {"bearer": {"Authorization": f"Bearer {token}"}, "basic": {"Authorization": f"Basic {basic}"}}
    headers |= {"address": {}, "gitlab": {"X-Gitlab-Token": token}}
    answer = post(sender, f"/in/{token}" if way == "address" else "/in/", **headers[way])
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "alerts": 1, "changes": 0})


def test_tokens_are_kept_as_digests_replaced_with_an_overlap_and_revoked(sender: Client) -> None:
    source, old = senders.source()
    new = tokens.issue(source, now=NOW)
    assert old not in json.dumps(list(SourceToken.objects.values()), default=str)
    assert {post(sender, f"/in/{token}").status_code for token in (old, new)} == {202}
    tokens.revoke(SourceToken.objects.get(token_sha256=tokens.digest(old)), now=NOW)
    assert [post(sender, f"/in/{token}").status_code for token in (old, new)] == [401, 202]
    source.is_enabled = False
    source.save()
    tokens.forget()
    assert post(sender, f"/in/{new}").status_code == 403
    assert dropped() == {("unknown", "token"): 1, (source.name, "switched off"): 1}


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic !!!", "Basic eA==", "Bearer " + "a" * 9_000, "Bearer \N{SNOWMAN}"]
)
def test_without_a_token_nothing_is_taken(sender: Client, header: str) -> None:
    senders.source()
    answer = post(sender, Authorization=header)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert not RawEvent.objects.exists()


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_only_post_does_anything(sender: Client, method: str) -> None:
    _, token = senders.source()
    for path in (f"/in/{token}", "/in/", "/v2/enqueue", "/v2/change/enqueue"):
        answer = getattr(sender, method)(path)
        assert answer.status_code == 405
        assert answer["Allow"] == "POST"
    assert not RawEvent.objects.exists()


def test_pagerduty_needs_only_another_host(sender: Client) -> None:
    _, token = senders.source("pagerduty")
    event = {
        "routing_key": token,
        "event_action": "trigger",
        "payload": {"summary": "Disk full", "source": "db-1", "severity": "critical"},
        "links": [{"href": "https://grafana.shop.example/d/1", "text": "Panel"}],
    }
    answer = post(sender, "/v2/enqueue", json.dumps(event).encode())
    key = answer.json()["dedup_key"]
    assert (answer.status_code, answer.json()["status"]) == (202, "success")
    assert post(sender, "/v2/enqueue", json.dumps(event).encode()).json()["dedup_key"] == key
    resolve = {"routing_key": token, "event_action": "resolve", "dedup_key": key}
    assert post(sender, "/v2/enqueue", json.dumps(resolve).encode()).status_code == 202
    alert = Alert.objects.get()
    assert (alert.status, alert.severity, alert.summary, alert.deliveries) == ("resolved", 1, "Disk full", 3)
    assert token.encode() not in b"".join(bytes(raw.body) for raw in RawEvent.objects.all())


def test_pagerduty_is_told_in_its_own_words_what_is_wrong(sender: Client) -> None:
    _, token = senders.source("pagerduty")
    answer = post(sender, "/v2/enqueue", json.dumps({"routing_key": token, "event_action": "shout"}).encode())
    assert answer.status_code == 400
    assert answer.json()["status"] == "invalid event"
    assert "event_action" in answer.json()["errors"][0]
    assert post(sender, "/v2/enqueue", b'{"routing_key": "no"}').status_code == 401
    assert post(sender, "/v2/enqueue", b"[]").status_code == 400


def test_pagerduty_changes(sender: Client) -> None:
    _, token = senders.source("pagerduty")
    payload = {"summary": "Build 7 deployed", "source": "payments", "custom_details": {"version": "2.14.0"}}
    event = {"routing_key": token, "payload": {**payload, "timestamp": senders.iso(NOW)}}
    assert post(sender, "/v2/change/enqueue", json.dumps(event).encode()).status_code == 202
    change = Change.objects.get()
    assert (change.service, change.title, change.version_after, change.at) == (
        "payments",
        "Build 7 deployed",
        "2.14.0",
        NOW,
    )


@pytest.mark.parametrize(("minutes", "status"), [(0, 200), (4, 200), (6, 401), (-6, 401)])
def test_a_replay_is_a_duplicate_within_the_window_and_refused_outside(
    sender: Client, minutes: int, status: int
) -> None:
    secret = signatures.new_secret()
    _, token = senders.source(signing_secrets=[tokens.seal(secret)])
    headers = signatures.signed(BODY, id="msg_1", secret=secret, now=NOW)
    assert post(sender, f"/in/{token}", **headers).status_code == 202
    rows = Alert.objects.values_list("deliveries", "last_received_at").get()
    with time_machine.travel(NOW + timedelta(minutes=minutes), tick=False):
        answer = post(sender, f"/in/{token}", **headers)
    assert answer.status_code == status
    assert Alert.objects.values_list("deliveries", "last_received_at").get() == rows
    assert RawEvent.objects.count() == 1
    if status == 401:
        assert "2026-11-22 03:00:00 UTC" in answer.json()["message"]
        assert f"{NOW + timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S} UTC" in answer.json()["message"]


def test_a_signature_must_be_right(sender: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = signatures.new_secret(), signatures.new_secret()
    source, token = senders.source(signing_secrets=[tokens.seal(new), tokens.seal(old)])
    good = signatures.signed(BODY, id="m", secret=old, now=NOW)
    other = signatures.signed(BODY, id="m", secret=signatures.new_secret(), now=NOW)[signatures.SIGNATURE]
    monkeypatch.setattr("incidents.intake.alerts.formats.read", lambda *a, **k: pytest.fail("the body was parsed"))
    wrong = [
        {},
        {**good, signatures.SIGNATURE: other},
        {**good, signatures.SIGNATURE: ""},
        {**good, signatures.SIGNATURE: good[signatures.SIGNATURE][:-5]},
        {**good, signatures.SIGNATURE: good[signatures.SIGNATURE].replace("v1,", "v2,")},
        {**good, signatures.ID: "n"},
        {**good, signatures.TIMESTAMP: str(int(NOW.timestamp()) + 1)},
        {**good, signatures.TIMESTAMP: "²"},
        {**good, signatures.TIMESTAMP: "9" * 50},
    ]
    assert {post(sender, f"/in/{token}", **headers).status_code for headers in wrong} == {401}
    assert post(sender, f"/in/{token}", BODY.replace(b"4", b"5", 1), **good).status_code == 401
    assert not RawEvent.objects.exists()
    assert dropped() == {(source.name, "signature"): len(wrong) + 1}
    monkeypatch.undo()
    several = {**good, signatures.SIGNATURE: f"{other} {good[signatures.SIGNATURE]}"}
    assert post(sender, f"/in/{token}", **several).status_code == 202


def test_github_signs_and_tells_a_deployment_from_its_start_to_its_end(sender: Client) -> None:
    _, token = senders.source("github", signing_secrets=[tokens.seal("a secret of ours")])
    for state in ("pending", "success", "in_progress"):
        body = json.dumps(senders.github(state)).encode()
        mac = hmac.new(b"a secret of ours", body, hashlib.sha256).hexdigest()
        headers = {"X-GitHub-Event": "deployment_status", "X-GitHub-Delivery": state}
        assert post(sender, f"/in/{token}", body, **headers).status_code == 401
        answer = post(sender, f"/in/{token}", body, **headers, **{"X-Hub-Signature-256": f"sha256={mac}"})
        assert (answer.status_code, answer.json()["changes"]) == (202, 1)
    change = Change.objects.get()
    assert (change.service, change.version_after, change.environment) == ("payments", "v2.14.0", "production")
    assert (change.status, change.author, change.at, change.kind) == ("succeeded", "mira", NOW, "deploy")
    assert change.told_by == "github of shop"


def test_grafana_signs_with_its_own_header(sender: Client) -> None:
    _, token = senders.source("grafana", signing_secrets=[tokens.seal("s3cret")])
    timestamp = str(int(NOW.timestamp()))
    mac = hmac.new(b"s3cret", f"{timestamp}:".encode() + BODY, hashlib.sha256).hexdigest()
    headers = {"X-Grafana-Alerting-Signature": mac, "X-Grafana-Alerting-Timestamp": timestamp}
    assert post(sender, f"/in/{token}", **headers).status_code == 202
    assert post(sender, f"/in/{token}", BODY + b" ", **headers).status_code == 401


def test_the_secret_kept_is_not_the_secret(settings: LazySettings) -> None:
    kept = tokens.seal("whsec_abc")
    assert "abc" not in kept
    assert tokens.unseal(kept) == "whsec_abc"
    settings.SECRET_KEY = "another"
    with pytest.raises(tokens.UndecipherableSecret, match="SECRET_KEY"):
        tokens.unseal(kept)


def test_a_flooding_source_is_told_to_wait_and_others_are_not(sender: Client) -> None:
    loud, token = senders.source(most_per_minute=60)
    _, other = senders.source("generic")
    answers = [post(sender, f"/in/{token}") for _ in range(120)]
    assert [answer.status_code for answer in answers] == [202] * 100 + [429] * 20
    assert answers[-1]["Retry-After"] == "1"
    assert post(sender, f"/in/{other}", b'{"name": "x"}').status_code == 202
    with time_machine.travel(NOW + timedelta(seconds=3), tick=False):
        assert [post(sender, f"/in/{token}").status_code for _ in range(4)] == [202] * 3 + [429]
    assert dropped() == {(loud.name, "rate limit"): 21}


def test_processes_share_what_a_source_may_send(sender: Client) -> None:
    _, token = senders.source(most_per_minute=60)
    accepted = 0
    for _ in range(120):
        allowance.forget()  # as another process would begin
        accepted += post(sender, f"/in/{token}").status_code == 202
    assert accepted <= 100


def test_a_full_outbox_turns_deliveries_away(sender: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = senders.source()
    monkeypatch.setattr(allowance, "MOST_WAITING", 0)
    assert post(sender, f"/in/{token}").status_code == 202
    allowance.forget()
    answer = post(sender, f"/in/{token}")
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")


def test_a_body_may_have_a_mebibyte(sender: Client) -> None:
    _, token = senders.source()
    assert post(sender, f"/in/{token}", BODY + b" " * (1024 * 1024 - len(BODY))).status_code == 202
    assert post(sender, f"/in/{token}", BODY + b" " * (1024 * 1024 - len(BODY) + 1)).status_code == 413
    assert (
        sender.post(
            f"/in/{token}", BODY, headers={"Content-Encoding": "gzip"}, content_type="application/json"
        ).status_code
        == 415
    )


def test_what_is_no_deployment_is_ignored_and_says_so(sender: Client) -> None:
    _, token = senders.source("github")
    answer = post(sender, f"/in/{token}", b'{"zen": "Keep it simple"}', **{"X-GitHub-Event": "ping"})
    assert answer.status_code == 202
    assert "tells of no deployment" in answer.json()["ignored"]


def test_the_last_use_of_a_token_is_written_down(sender: Client) -> None:
    source, token = senders.source()
    post(sender, f"/in/{token}")
    assert SourceToken.objects.get().last_used_at == NOW
    assert AlertSource.objects.get(pk=source.pk).last_received_at == NOW


def test_no_token_is_logged(sender: Client, caplog: pytest.LogCaptureFixture) -> None:
    _, token = senders.source()
    post(sender, f"/in/{token}", b"{")
    post(sender, f"/in/{token[:-1]}")
    sender.get(f"/in/{token}")
    assert token[:8] not in caplog.text
