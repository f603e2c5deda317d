import asyncio

import pytest
from django.http import HttpResponse

from copilot import telemetry_intake
from copilot.telemetry_intake import TelemetryIntake


def run(messages, *, path="/v1/traces"):
    """Send messages through the intake; return what the client was sent."""
    waiting, sent = list(messages), []

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    async def pages(scope, receive, send):
        await send({"type": "http.response.start", "status": 299, "headers": []})

    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-type", b"application/json")]}
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
    assert run([part(b"")], path="/in/a/b")[0]["status"] == 299


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
