"""OTLP over HTTP against the real web server: the protocol's status codes, bounds, and what happens when the server dies."""

import gzip
import json
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from incidents.telemetry.datamodel import Window, to_ns
from tests.incidents.telemetry import requests

JSON, PROTOBUF = "application/json", "application/x-protobuf"
MIB = 1024 * 1024


def spans(*numbers, service="cart", **fields):
    now = to_ns(datetime.now(UTC))
    return requests.request(
        "traces", [requests.span(n, at=now - n, took=1_000, **fields) for n in numbers], service=service
    )


def recent():
    now = datetime.now(UTC)
    return Window(now - timedelta(minutes=10), now + timedelta(minutes=1))


def post(client, body, *, content_type=JSON, path="/v1/traces", **headers):
    return client.post(path, content=body, headers={"Content-Type": content_type, **headers})


def stored(site, service):
    return sorted(site.store.fetch_spans(recent(), services=[service]).span_id.tolist())


@pytest.mark.parametrize("compression", ["identity", "gzip"])
@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
def test_spans_are_stored_when_they_are_acknowledged(site, client, content_type, compression):
    service = f"{content_type}-{compression}"
    document = spans(1, 2, service=service)
    body = requests.in_json(document) if content_type == JSON else requests.in_protobuf("traces", document)
    body = gzip.compress(body) if compression == "gzip" else body
    response = post(client, body, content_type=content_type, **{"Content-Encoding": compression})
    assert (response.status_code, response.headers["content-type"]) == (200, content_type)
    assert response.content == (b"{}" if content_type == JSON else b"")
    assert stored(site, service) == [1, 2]


def test_logs_and_metrics_are_stored_too(site, client):
    now = to_ns(datetime.now(UTC)) - 60 * requests.SECOND
    line = requests.line("password=hunter2", at=now)
    assert (
        post(client, requests.in_json(requests.request("logs", [line], service="both")), path="/v1/logs").status_code
        == 200
    )
    gauge = requests.gauge("memory", [1, 2], at=now)
    assert (
        post(
            client, requests.in_json(requests.request("metrics", [gauge], service="both")), path="/v1/metrics"
        ).status_code
        == 200
    )
    assert [r.body for r in site.store.fetch_logs(recent(), services=["both"])] == ["password=[masked]"]
    [memory] = site.store.fetch_metrics(recent(), services=["both"])
    assert memory.values.tolist() == [1, 2]


def test_broken_records_are_counted_in_the_answer_and_the_others_stored(site, client):
    document = spans(1, 2, service="partly")
    document["resourceSpans"][0]["scopeSpans"][0]["spans"].append(requests.span(traceId="xyz"))
    answer = post(client, requests.in_json(document)).json()
    assert answer == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "traceId 'xyz' is not hexadecimal"}}
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][-1] = requests.span(traceId="00" * 3)
    answer = post(client, requests.in_protobuf("traces", document), content_type=PROTOBUF).content
    assert ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans == 1
    assert stored(site, "partly") == [1, 1, 2, 2]


def test_old_records_are_rejected_with_the_reason(client):
    message = post(
        client,
        requests.in_json(
            requests.request("traces", [requests.span(at=requests.NOON - 400 * 86_400 * requests.SECOND)])
        ),
    ).json()
    assert "72 h ago" in message["partialSuccess"]["errorMessage"]


REFUSED = [
    (400, b"{", JSON, {}),
    (400, b"\xff\xff", PROTOBUF, {}),
    (400, requests.in_protobuf("traces", requests.request("traces", [requests.span()]))[:-9], PROTOBUF, {}),
    (400, b"not gzip", JSON, {"Content-Encoding": "gzip"}),
    (400, gzip.compress(b"{}" * 99, mtime=0)[:-9], JSON, {"Content-Encoding": "gzip"}),
    (400, gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), JSON, {"Content-Encoding": "gzip"}),
    (413, gzip.compress(bytes(200 * MIB), mtime=0), PROTOBUF, {"Content-Encoding": "gzip"}),
    (413, b" " * 10 * MIB, JSON, {}),
    (415, b"{}", "text/plain", {}),
    (415, b"{}", JSON, {"Content-Encoding": "zstd"}),
]


@pytest.mark.parametrize(("status", "body", "content_type", "headers"), REFUSED)
def test_what_cannot_be_taken_is_refused_with_a_status(client, status, body, content_type, headers):
    response = post(client, body, content_type=content_type, **headers)
    assert response.status_code == status
    if response.headers["content-type"] == PROTOBUF:
        answer = Status.FromString(response.content)
        assert (answer.code > 0, bool(answer.message)) == (True, True)
    else:
        assert response.json()["code"] > 0
        assert response.json()["message"]
    assert "retry-after" not in response.headers


def test_other_methods_are_refused(client):
    response = client.get("/v1/traces")
    assert (response.status_code, response.headers["allow"], response.json()["code"]) == (405, "POST", 12)


def test_a_body_without_a_length_is_refused_early_and_takes_no_memory(site, client):
    post(client, requests.in_json(spans(1)))
    before = site.memory()
    sent = 0

    def parts():
        nonlocal sent
        for _ in range(200):
            sent += MIB
            yield bytes(MIB)

    began = time.monotonic()
    try:
        assert client.post("/v1/traces", content=parts(), headers={"Content-Type": PROTOBUF}).status_code == 413
    except httpx.TransportError:
        # The server closed the connection while this client was still sending.
        assert sent < 200 * MIB
    assert time.monotonic() - began < 30
    assert site.memory() - before < 20 * MIB


def test_nothing_in_a_request_is_a_server_error(site, client):
    hostile = [
        b'{"resourceSpans":[{"resource":{"attributes":[{"key":"\\u0000","value":{"stringValue":"\\u0000"}}]},"scopeSpans":[{"spans":[7]}]}]}',
        b"[" * 100_000,
        b'{"resourceSpans":' + b"9" * 5_000 + b"}",
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"\\ud800"}]}]}]}',
        requests.in_json(
            spans(
                1,
                name="a\0b\x1b[31m\u202e",
                attributes=requests.attributes({"k\0": "v\0", "n": 1e308, "deep": [[[[[[[["x"]]]]]]]]}),
            )
        ),
        requests.in_json(spans(1, service="s\0" + "x" * 9_999)),
    ]
    for body in hostile:
        assert post(client, body).status_code in (200, 400)


def test_a_token_is_asked_for_when_one_is_set(start_site):
    site = start_site(COPILOT_OTLP_TOKEN="open-sesame")
    with httpx.Client(base_url=site.url, trust_env=False, timeout=60) as client:
        body = requests.in_json(spans(1, service="guarded"))
        for wrong in (
            {},
            {"Authorization": "Bearer open-sesam"},
            {"Authorization": "open-sesame"},
            {"Authorization": "Bearer ö"},
        ):
            refused = client.post(
                "/v1/traces",
                content=body,
                headers=[("Content-Type", JSON), *((k, v.encode()) for k, v in wrong.items())],
            )
            assert (refused.status_code, refused.headers["www-authenticate"], refused.json()["code"]) == (
                401,
                "Bearer",
                16,
            )
        assert post(client, body, Authorization="Bearer open-sesame").status_code == 200
    site.child.stop()


def test_every_acknowledged_span_survives_the_server(start_site):
    """The web server is killed with SIGKILL while four exporters post; whatever it had acknowledged is in the database."""
    site = start_site()
    acknowledged, stop = set(), threading.Event()

    def export(first):
        with httpx.Client(base_url=site.url, trust_env=False, timeout=10) as client:
            for number in range(first, first + 1_000_000, 5):
                numbers = range(number, number + 5)
                try:
                    if (
                        stop.is_set()
                        or post(client, requests.in_json(spans(*numbers, service="survivors"))).status_code != 200
                    ):
                        return
                except httpx.TransportError:
                    return
                acknowledged.update(numbers)

    exporters = [threading.Thread(target=export, args=(1 + i * 1_000_000,)) for i in range(4)]
    for exporter in exporters:
        exporter.start()
    deadline = time.monotonic() + 60
    while len(acknowledged) < 300 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert site.child.pid is not None
    os.kill(site.child.pid, signal.SIGKILL)
    stop.set()
    for exporter in exporters:
        exporter.join()
    assert len(acknowledged) >= 300
    assert acknowledged <= set(stored(site, "survivors"))


def test_a_database_that_is_down_means_come_back_later(start_site, client):
    site = start_site(DATABASE_URL="postgresql://copilot@127.0.0.1:1/none")
    with httpx.Client(base_url=site.url, trust_env=False, timeout=60) as client:
        response = post(client, requests.in_json(spans(1)))
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert json.loads(response.content)["code"] == 14
    site.child.stop()


@pytest.mark.django_db
def test_a_full_disk_means_come_back_later(settings, monkeypatch, rf):
    import psycopg

    from incidents import api
    from incidents.intake import otlp, tagging
    from incidents.telemetry.store import HotStore
    from incidents.telemetry.store_rows import RowWriter

    store = HotStore(settings.DATABASE_URL, schema="replay_full")
    store.prepare()
    monkeypatch.setattr(otlp, "hot_store", lambda dsn: store)
    monkeypatch.setattr(tagging, "remember", lambda tags, now: None)

    def write(*_):
        raise psycopg.errors.DiskFull('could not extend file "base/5/16384": No space left on device')

    monkeypatch.setattr(RowWriter, "write", write)
    response = api.traces(rf.post("/v1/traces", requests.in_json(spans(1)), content_type=JSON))
    assert (response.status_code, response["Retry-After"]) == (503, "60")
    assert json.loads(response.content)["message"].startswith("storage full")
    store.drop_schema()


@pytest.mark.django_db
def test_too_many_requests_at_once_are_asked_to_come_back(monkeypatch, rf):
    from incidents import api
    from incidents.intake import otlp

    monkeypatch.setattr(otlp, "_places", threading.BoundedSemaphore(1))
    otlp._places.acquire()
    response = api.traces(rf.post("/v1/traces", b"{}", content_type=JSON))
    assert (response.status_code, response["Retry-After"]) == (429, "1")
