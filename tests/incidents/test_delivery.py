import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core import mail
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from incidents import delivery, lifecycle, teamwork
from incidents.lifecycle import NotPossible
from incidents.models import Notification
from tests.cast import person
from tests.incidents.alerting import alert, at, source
from tests.services import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(settings: LazySettings) -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1") as server:
        settings.NOTIFY_HOSTS = [f"127.0.0.1:{server.port}"]
        settings.PUBLIC_URL = "https://copilot.example.com"
        yield server


def told(kind: str, target: str) -> Notification:
    """Mira follows everything and has a channel; an incident opens."""
    mira = person("mira", "responder")
    teamwork.watch(mira, now=at(0))
    teamwork.add_channel(mira, kind=kind, target=target, now=at(0))
    incident = lifecycle.open_for_alerts([alert(severity=2)], now=at(5))
    entry = incident.timeline.get(text__startswith="Opened")
    teamwork.notify_watchers(entry, now=at(6))
    return Notification.objects.get(channel__isnull=False)


def test_a_webhook_is_signed_names_the_incident_and_goes_once(hook: HTTPServer) -> None:
    seen: list[Request] = []
    hook.expect_request("/incidents", method="POST").respond_with_handler(
        lambda request: (seen.append(request), Response("ok"))[1]
    )
    one = told("webhook", hook.url_for("/incidents"))
    assert [delivery.deliver(one.pk, now=at(7)) for _ in range(3)] == [True, False, False]
    [request] = seen
    assert one.channel is not None
    key = base64.b64decode(delivery.signing_key(one.channel).removeprefix("whsec_"))
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.data
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    body = json.loads(request.data)["data"]
    assert body["url"] == f"https://copilot.example.com/incidents/{one.incident_id}/"
    one.refresh_from_db()
    assert (one.sent_at, one.failure) == (at(7), "")


def test_a_webhook_tells_of_a_source_too(hook: HTTPServer) -> None:
    seen: list[Request] = []
    hook.expect_request("/incidents", method="POST").respond_with_handler(
        lambda request: (seen.append(request), Response("ok"))[1]
    )
    teamwork.add_channel(person("sara", "SRE"), kind="webhook", target=hook.url_for("/incidents"), now=at(0))
    shop = source("Shop")
    teamwork.tell_of_source(shop, text="floods", now=at(1))
    assert delivery.deliver(Notification.objects.get(channel__isnull=False).pk, now=at(2))
    body = json.loads(seen[0].data)
    url = f"https://copilot.example.com/settings/sources/{shop.pk}/"
    assert body["type"] == "source.notification"
    assert body["data"] == {"source": "Shop", "text": "Shop floods", "url": url}


def test_what_certainly_did_not_arrive_is_tried_three_times_and_shown(settings: LazySettings) -> None:
    port = free_port()
    settings.NOTIFY_HOSTS = ["127.0.0.1"]
    one = told("webhook", f"http://127.0.0.1:{port}/x")
    now = at(7)
    for attempt in (1, 2, 3):
        assert delivery.deliver(one.pk, now=now) is False
        one.refresh_from_db()
        assert (one.attempts, "cannot be reached" in one.failure) == (attempt, True)
        now += timedelta(minutes=10)
        assert delivery.due(now=now) == ([one.pk] if attempt < 3 else [])
    assert delivery.deliver(one.pk, now=now) is False


def test_an_answer_that_leaves_it_open_is_not_repeated(hook: HTTPServer) -> None:
    hook.expect_request("/x").respond_with_data("no", status=500)
    one = told("webhook", hook.url_for("/x"))
    assert delivery.deliver(one.pk, now=at(7)) is False
    one.refresh_from_db()
    assert (one.try_at, one.failure) == (None, "127.0.0.1 answered 500.")


def test_redirects_are_not_followed(hook: HTTPServer) -> None:
    hook.expect_request("/x").respond_with_response(
        Response(status=307, headers={"Location": hook.url_for("/elsewhere")})
    )
    one = told("webhook", hook.url_for("/x"))
    assert delivery.deliver(one.pk, now=at(7)) is False
    assert [request.path for request, _ in hook.log] == ["/x"]


def test_a_worker_that_ends_while_sending_leaves_it_unsent_and_says_so(hook: HTTPServer) -> None:
    one = told("webhook", hook.url_for("/x"))
    Notification.objects.filter(pk=one.pk).update(attempts=1, try_at=None)
    assert delivery.due(now=at(3600)) == []
    one.refresh_from_db()
    assert "may or may not have arrived" in one.failure


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "http://hooks.example.com.evil.test/",
        "http://user@hooks.example.com/",
        "ftp://hooks.example.com/",
        "http://hooks.example.com:99999/",
        "not an address",
    ],
)
def test_only_listed_hosts_are_taken(settings: LazySettings, target: str) -> None:
    settings.NOTIFY_HOSTS = ["hooks.example.com:443"]
    with pytest.raises(NotPossible):
        delivery.check_target("webhook", target)


def test_the_metadata_address_is_refused_even_when_listed(settings: LazySettings) -> None:
    settings.NOTIFY_HOSTS = ["169.254.169.254", "[::ffff:169.254.169.254]", "::ffff:169.254.169.254"]
    one = told("webhook", "http://169.254.169.254/latest")
    assert delivery.deliver(one.pk, now=at(7)) is False
    one.refresh_from_db()
    assert "where webhooks never go" in one.failure
    assert one.try_at is None


def test_mail_goes_through_djangos_settings(settings: LazySettings) -> None:
    with pytest.raises(NotPossible, match="COPILOT_EMAIL_URL"):
        delivery.check_target("email", "mira@example.com")
    settings.EMAIL_HOST = "mail.example.com"
    assert delivery.check_target("email", " mira@example.com ") == "mira@example.com"
    with pytest.raises(NotPossible, match="not an e-mail address"):
        delivery.check_target("email", "mira\n@x")
    one = told("email", "mira@example.com")
    assert delivery.deliver(one.pk, now=at(7))
    [sent] = mail.outbox
    assert sent.subject.startswith(f"[{one.incident.reference}]")
    assert "\n" not in sent.subject
    assert f"/incidents/{one.incident_id}/" in str(sent.body)
