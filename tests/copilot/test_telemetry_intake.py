import asyncio
import json
import logging

import pytest
from django.db import OperationalError
from django.http import HttpResponse

from copilot import telemetry_intake
from copilot.telemetry_intake import TelemetryIntake


def run(messages, *, path="/v1/traces", content_type=b"application/json"):
    """Send messages through the intake; return what the client was sent."""
    waiting, sent = list(messages), []

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    async def pages(scope, receive, send):
        await send({"type": "http.response.start", "status": 299, "headers": []})

    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-type", content_type)]}
    asyncio.run(TelemetryIntake(pages)(scope, receive, send))
    return sent


def part(body, *, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def view(request):
    return HttpResponse(request.method.encode() + request.read(), status=202, headers={"Retry-After": "5"})


def test_a_view_gets_the_whole_body_and_its_answer_is_sent(monkeypatch):
    monkeypatch.setitem(telemetry_intake.VIEWS, "/v1/traces", view)
    start, answer = run([part(b"ab", more=True), part(b"cd")])
    assert (start["status"], answer["body"]) == (202, b"POSTabcd")
    assert dict(start["headers"])[b"retry-after"] == b"5"
    assert dict(start["headers"])[b"content-length"] == b"8"


@pytest.mark.parametrize("path", ["/in/", "/v2/enqueue", "/v2/change/enqueue"])
def test_webhooks_are_taken_past_the_pages_too(monkeypatch, path):
    monkeypatch.setitem(telemetry_intake.WEBHOOKS, path, view)
    start, answer = run([part(b"ab")], path=path)
    assert (start["status"], answer["body"]) == (202, b"POSTab")


def test_a_secret_address_is_one_segment(monkeypatch):
    monkeypatch.setattr(telemetry_intake.webhooks, "deliver", lambda request, token="": HttpResponse(token))
    assert run([part(b"")], path="/in/0123abcd")[1]["body"] == b"0123abcd"


@pytest.mark.parametrize("path", ["/in/0123abcd/", "/in/0123abcd/more", "/in/0123abcd?x=\xff"])
def test_whatever_is_below_it_stays_secret_too(monkeypatch, path):
    seen = []
    monkeypatch.setattr(
        telemetry_intake.webhooks, "deliver", lambda request, token="": HttpResponse(seen.append(token), status=401)
    )
    assert run([part(b"")], path=path)[0]["status"] == 401
    assert seen[0].startswith("0123abcd")
    assert not seen[0].endswith("/")


def test_beyond_so_many_deliveries_the_next_is_turned_away(monkeypatch):
    monkeypatch.setattr(telemetry_intake, "MOST_WAITING", 0)
    monkeypatch.setattr(telemetry_intake.webhooks, "busy", lambda request: HttpResponse(status=503))
    assert run([part(b"ab")], path="/in/")[0]["status"] == 503


def test_a_sender_that_has_gone_is_not_answered(monkeypatch):
    monkeypatch.setitem(telemetry_intake.VIEWS, "/v1/traces", view)
    assert run([part(b"ab", more=True)]) == []


def test_other_paths_are_left_to_the_pages():
    assert [message["status"] for message in run([part(b"")], path="/v1/other")] == [299]
    assert [message["status"] for message in run([part(b"")], path="/")] == [299]


FAILURES = [
    (ZeroDivisionError("of 7"), 500, "Something failed here"),
    (OperationalError("the database system is shutting down"), 503, "The database does not answer"),
]


@pytest.mark.parametrize("path", ["/v1/traces", "/v2/enqueue", "/in/0123abcd"])
@pytest.mark.parametrize(("error", "status", "title"), FAILURES)
def test_a_view_that_fails_says_so_with_an_id_that_is_in_the_log(monkeypatch, caplog, path, error, status, title):
    def fails(request, token=""):
        raise error

    monkeypatch.setitem(telemetry_intake.VIEWS, path, fails)
    with caplog.at_level(logging.ERROR):
        start, answer = run([part(b"ab")], path=path)
    said = json.loads(answer["body"])
    assert (start["status"], said["title"]) == (status, title)
    assert (b"retry-after" in dict(start["headers"])) is (status == 503)
    assert said["instance"].removeprefix("urn:error:") in caplog.text
    assert str(error) in caplog.text, "with its traceback"
    assert "0123abcd" not in caplog.text


@pytest.mark.parametrize("path", ["/v1/traces", "/in/0123abcd", "/login/"])
@pytest.mark.parametrize("given", [b"text/plain; charset*=nonsense''%41", b"text/plain; a*=b'c'd'e"])
def test_headers_that_django_cannot_read_are_refused(monkeypatch, path, given):
    counted = []
    monkeypatch.setattr("incidents.intake.drops.count", lambda **what: counted.append(what["reason"]))
    start, answer = run([part(b"ab")], path=path, content_type=given)
    assert (start["status"], b"cannot be read" in answer["body"]) == (400, True)
    assert counted == ["unreadable headers"]
