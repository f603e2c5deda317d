import asyncio
import json

import pytest

from copilot.body_limit import BodyLimit
from incidents.intake import drops
from incidents.models import DropCount


def run(parts, *, limit=100, path="/v1/traces", headers=(), delay=0.0, seconds=5.0):
    """Send body parts through the limit; return what the client was sent and how many bytes the application read."""
    waiting = [{"type": "http.request", "body": part, "more_body": i + 1 < len(parts)} for i, part in enumerate(parts)]
    sent, seen = [], []

    async def receive():
        await asyncio.sleep(delay)
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    async def application(scope, receive, send):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            seen.append(len(message["body"]))
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    limits = {"/v1/": limit, "/v1/logs": 10}
    limited = BodyLimit(application, limits=limits, otherwise=5, seconds=seconds, count=lambda *_: None)
    scope = {"type": "http", "path": path, "headers": list(headers)}
    asyncio.run(limited(scope, receive, send))
    return sent, sum(seen)


def status(sent):
    return sent[0]["status"]


def test_a_body_within_the_limit_passes():
    sent, seen = run([b"x" * 60, b"x" * 40])
    assert (status(sent), seen) == (200, 100)


def test_a_body_without_a_length_is_refused_while_it_arrives():
    sent, seen = run([b"x" * 60] * 50)
    assert (status(sent), seen) == (413, 60)
    assert json.loads(sent[1]["body"]) == {"code": 8, "message": "The body is longer than 100 bytes."}
    assert sent[-1]["more_body"] is False


def test_an_announced_length_is_refused_at_once():
    sent, seen = run([b"x"], headers=[(b"content-length", b"101")])
    assert (status(sent), seen) == (413, 0)


def test_a_client_that_asks_first_is_refused_without_being_told_to_go_on():
    async def receive():
        raise AssertionError("reading would answer 100 Continue")

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": "/", "headers": [(b"content-length", b"999"), (b"expect", b"100-continue")]}
    asyncio.run(BodyLimit(None, limits={}, otherwise=5, count=lambda *_: None)(scope, receive, send))
    assert status(sent) == 413


def test_the_longest_prefix_decides():
    assert status(run([b"x" * 11], path="/v1/logs")[0]) == 413
    assert status(run([b"x" * 11], path="/v1/traces")[0]) == 200
    assert status(run([b"x" * 6], path="/login/")[0]) == 413


def test_a_body_that_does_not_arrive_is_given_up():
    sent, _ = run([b"x"] * 50, delay=0.02, seconds=0.1)
    assert status(sent) == 408


def test_other_connections_pass_untouched():
    seen = []

    async def application(scope, receive, send):
        seen.append((scope["type"], receive, send))

    asyncio.run(BodyLimit(application, limits={}, otherwise=0)({"type": "websocket"}, "receive", "send"))
    assert seen == [("websocket", "receive", "send")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "what"),
    [("/in/secret", "deliveries"), ("/v2/enqueue", "deliveries"), ("/v1/logs", "telemetry"), ("/x", "requests")],
)
def test_what_is_refused_is_counted_with_its_reason(path, what):
    async def never():
        await asyncio.sleep(10)

    async def send(message):
        pass

    async def application(scope, receive, send):
        await receive()

    drops.flush()
    DropCount.objects.all().delete()
    limit = BodyLimit(application, limits={}, otherwise=5, seconds=0.01)
    for headers in ([(b"content-length", b"999"), (b"expect", b"100-continue")], []):
        asyncio.run(limit({"type": "http", "path": path, "headers": headers}, never, send))
    drops.flush()
    found = DropCount.objects.filter(what=what, source="unknown", count=1)
    assert set(found.values_list("reason", flat=True)) == {"too large", "too slow"}
