"""Spans a second through the real web server on one core, against bare protobuf decoding plus COPY in the same run.

Both write to the same durable PostgreSQL (fsync on), which has the other core, as has the client. Processor time is shown beside
wall time: it says the same on a busy machine.
"""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import httpx
import orjson
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from copilot.embedded import postgres
from copilot.embedded.child import Program
from incidents.telemetry.datamodel import to_ns
from incidents.telemetry.store import HotStore
from tests.incidents.telemetry import requests
from tests.services import ROOT, Run, free_port

BATCH = 512  # what the SDK's batch processor sends
BATCHES = 100
TARGET_PER_SECOND, TARGET_SHARE = 10_000, 0.5
COLUMNS = "start_ns int8, duration_ns int8, span_id int8, parent_id int8, service text, operation text, trace_id uuid, kind int2, is_error bool, attributes text"
TYPES = ("int8", "int8", "int8", "int8", "text", "text", "uuid", "int2", "bool", "text")


@dataclass(frozen=True)
class Speed:
    wall: float  # spans a second
    core: float  # spans a second of processor time


@pytest.fixture(scope="module")
def dsn(services: Run) -> str:
    cluster = postgres.prepare(
        data=services.folder / "durable", sockets=services.folder / "durable-sockets", durable=True
    )
    services.start(postgres.program(cluster))
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": cluster.url()},
        check=True,
    )
    HotStore(cluster.url()).prepare()
    return cluster.url()


def payloads() -> list[bytes]:
    """Write batches as an instrumented web service exports them: a few attributes of HTTP and database spans, many traces."""
    now = to_ns(datetime.now(UTC))
    return [requests.in_protobuf("traces", _request(number, now=now)) for number in range(BATCHES)]


def _request(number: int, *, now: int) -> dict[str, object]:
    spans = []
    for i in range(BATCH):
        serial = number * BATCH + i
        about = {
            "http.request.method": "GET",
            "http.route": f"/cart/{i % 20}",
            "http.response.status_code": 200,
            "url.path": f"/cart/{serial}",
            "server.address": "cart",
            "user_agent.original": "load/1.0",
        }
        spans.append(
            requests.span(
                serial + 1,
                name=f"GET /cart/{i % 20}",
                parent=serial if i % 3 else 0,
                at=now - (BATCHES * BATCH - serial) * 100_000,
                took=5_000_000 + i * 1_000,
                kind=3 if i % 3 else 2,
                attributes=requests.attributes(about),
                traceId=f"{serial // 3 + 1:032x}",
            )
        )
    return requests.request(
        "traces", spans, service="cart", **{"service.version": "1.4", "deployment.environment.name": "production"}
    )


def through_http(dsn: str, bodies: list[bytes], services: Run) -> Speed:
    port = free_port()
    program = Program(
        name="bench-web",
        command=(
            "taskset",
            "-c",
            "0",
            sys.executable,
            "-m",
            "uvicorn",
            "copilot.asgi:application",
            "--port",
            str(port),
            "--log-level",
            "warning",
        ),
        ready=lambda: _why_not(f"http://127.0.0.1:{port}/health/live"),
        variables={"DATABASE_URL": dsn, "COPILOT_VAR": str(services.folder / "bench")},
        folder=ROOT,
    )
    server = services.start(program, seconds=120)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies[:5]:
        _post(connection, body)
    used, began = _processor_seconds(server.pid), time.perf_counter()
    for body in bodies:
        _post(connection, body)
    wall = time.perf_counter() - began
    used = _processor_seconds(server.pid) - used
    server.stop()
    return Speed(len(bodies) * BATCH / wall, len(bodies) * BATCH / used)


def _why_not(url: str) -> str | None:
    try:
        httpx.get(url, timeout=1, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        return str(error)
    return None


def _post(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
    response = connection.getresponse()
    answer = response.read()
    assert response.status == 200, answer
    assert not answer, "records were rejected"


def _processor_seconds(pid: int | None) -> float:
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bare(dsn: str, bodies: list[bytes]) -> Speed:
    """Decode with protobuf and COPY the same columns into one plain table, and nothing else."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        with psycopg.connect(dsn) as connection:
            connection.execute(f"CREATE TABLE bare ({COLUMNS})")
            connection.commit()
            used, began = time.process_time(), time.perf_counter()
            for body in bodies:
                with connection.cursor() as cursor, cursor.copy("COPY bare FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(TYPES)
                    for row in _rows(body):
                        copy.write_row(row)
                connection.commit()
            wall, used = time.perf_counter() - began, time.process_time() - used
    finally:
        os.sched_setaffinity(0, mine)
    return Speed(len(bodies) * BATCH / wall, len(bodies) * BATCH / used)


def _rows(body: bytes) -> Iterator[tuple[object, ...]]:
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = next(a.value.string_value for a in group.resource.attributes if a.key == "service.name")
        for scope in group.scope_spans:
            for span in scope.spans:
                yield (
                    span.start_time_unix_nano,
                    span.end_time_unix_nano - span.start_time_unix_nano,
                    int.from_bytes(span.span_id, "big", signed=True),
                    int.from_bytes(span.parent_span_id, "big", signed=True),
                    service,
                    span.name,
                    UUID(bytes=span.trace_id),
                    span.kind,
                    span.status.code == 2,
                    orjson.dumps(
                        {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}
                    ).decode(),
                )


@pytest.mark.timeout(1_800)
def test_otlp_intake(dsn: str, services: Run) -> None:
    bodies = payloads()
    baseline = bare(dsn, bodies)
    web = through_http(dsn, bodies, services)
    share = web.core / baseline.core
    print(
        f"\nOTLP intake, {BATCHES} requests of {BATCH} spans, {sum(map(len, bodies)) / len(bodies) / 1024:.0f} KiB each"
    )
    print(
        f"  through the web server   {web.wall:8,.0f} spans/s   {web.core:8,.0f} per second of one core   target {TARGET_PER_SECOND:,}"
    )
    print(f"  bare decoding and COPY   {baseline.wall:8,.0f} spans/s   {baseline.core:8,.0f} per second of one core")
    print(
        f"  share of bare            {web.wall / baseline.wall:8.0%}           {share:8.0%}   target {TARGET_SHARE:.0%}"
    )
