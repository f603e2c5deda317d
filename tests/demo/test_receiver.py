"""The recorder's receiver: what an exporter sends becomes OTLP/JSON lines that our own decoder reads."""

import gzip
import json
import time
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from demo.receiver import Receiver
from incidents.telemetry.otlp import Signal
from incidents.telemetry.recording import Recording, RecordingWriter


def test_spans_of_the_real_sdk_can_be_read_back(tmp_path: Path) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "kiosk", "service.version": "7"}))
    with RecordingWriter(tmp_path) as writer, Receiver(writer.write) as receiver:
        receiver.listening.set()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{receiver.url}/v1/traces")))
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span("GET /outer") as outer, tracer.start_as_current_span("inner"):
            time.sleep(0.002)
        provider.shutdown()
    spans = {span.operation: span for span in Recording.load(tmp_path, mask=str).spans}
    assert spans["inner"].parent_id == spans["GET /outer"].span_id
    assert spans["inner"].trace_id.hex() == f"{outer.get_span_context().trace_id:032x}"
    assert spans["inner"].duration_ns >= 2_000_000
    assert spans["GET /outer"].service == "kiosk"


def test_nothing_is_kept_before_it_listens() -> None:
    kept: list[tuple[Signal, bytes]] = []
    with Receiver(lambda signal, line: kept.append((signal, line))) as receiver:
        assert httpx.post(f"{receiver.url}/v1/logs", content=b"").status_code == 200
        assert kept == []
        receiver.listening.set()
        squeezed = httpx.post(
            f"{receiver.url}/v1/logs", content=gzip.compress(b""), headers={"content-encoding": "gzip"}
        )
        assert squeezed.status_code == 200
    assert [(signal, json.loads(line)) for signal, line in kept] == [("logs", {})]


@pytest.mark.parametrize(("path", "body", "status"), [("/v1/profiles", b"", 404), ("/v1/traces", b"\xff\xff\xff", 400)])
def test_what_it_cannot_read_is_refused(path: str, body: bytes, status: int) -> None:
    with Receiver(lambda signal, line: None) as receiver:
        assert httpx.post(receiver.url + path, content=body).status_code == status
