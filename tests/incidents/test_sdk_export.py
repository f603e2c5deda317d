"""An unmodified OpenTelemetry SDK exports traces, logs and metrics to the real web server."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from incidents.telemetry.datamodel import Window

COMPRESSIONS = [Compression.NoCompression, Compression.Gzip]


@pytest.fixture
def window():
    now = datetime.now(UTC)
    return Window(now - timedelta(minutes=5), now + timedelta(minutes=5))


def resource(service):
    return Resource.create(
        {"service.name": service, "service.version": "1.4", "deployment.environment.name": "production", "team": "shop"}
    )


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_traces(site, window, compression):
    service = f"sdk-traces-{compression.value}"
    provider = TracerProvider(resource=resource(service))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{site.url}/v1/traces", compression=compression))
    )
    tracer = provider.get_tracer("tests")
    for number in range(600):
        with tracer.start_as_current_span(
            "GET /cart", kind=SpanKind.SERVER, attributes={"http.route": "/cart", "password": "hunter2"}
        ) as span:
            with tracer.start_as_current_span("SELECT carts", kind=SpanKind.CLIENT):
                pass
            if number % 10 == 0:
                span.record_exception(TimeoutError("no connection within 5 s"))
                span.set_status(StatusCode.ERROR, "pool exhausted")
    provider.shutdown()
    table = site.store.fetch_spans(window, services=[service])
    assert (len(table), len(table.trace_ids), int(table.is_error.sum()), int((table.parent_row >= 0).sum())) == (
        1_200,
        600,
        60,
        600,
    )
    failed = table.trace_ids[table.trace[table.is_error][0]]
    [server] = [s for s in site.store.fetch_trace(failed) if s.kind == 2]
    assert '"otel.status_description":"pool exhausted"' in server.attributes
    assert '"password":"[masked]"' in server.attributes
    assert [r.body for r in site.store.fetch_logs(window, services=[service])] == [
        "TimeoutError: no connection within 5 s"
    ] * 60


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_logs(site, window, compression):
    service = f"sdk-logs-{compression.value}"
    provider = LoggerProvider(resource=resource(service))
    provider.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{site.url}/v1/logs", compression=compression))
    )
    log = logging.getLogger(service)
    log.propagate = False
    log.addHandler(LoggingHandler(logger_provider=provider))
    log.warning("slow query took %d ms", 900)
    log.error("login of ann@example.com failed, password=hunter2")
    provider.shutdown()
    found = [(r.severity, r.body) for r in site.store.fetch_logs(window, services=[service])]
    assert found == [(13, "slow query took 900 ms"), (17, "login of [email] failed, password=[masked]")]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_metrics(site, window, compression):
    service = f"sdk-metrics-{compression.value}"
    exporter = OTLPMetricExporter(endpoint=f"{site.url}/v1/metrics", compression=compression)
    provider = MeterProvider(
        [PeriodicExportingMetricReader(exporter, export_interval_millis=600_000)], resource=resource(service)
    )
    meter = provider.get_meter("tests")
    orders, took = meter.create_counter("orders", unit="1"), meter.create_histogram("took", unit="s")
    meter.create_gauge("pool.used").set(7)
    for _ in range(3):
        orders.add(5)
        took.record(0.2)
        provider.force_flush()
    provider.shutdown()
    found = {s.key.name: s for s in site.store.fetch_metrics(window, services=[service])}
    assert set(found) == {"orders", "pool.used", "took.count", "took.sum", "took.p50", "took.p95", "took.p99"}
    assert found["pool.used"].values[-1] == 7
    assert (found["orders"].values >= 0).all()
    assert found["orders"].values.max() > 0


def test_the_resource_becomes_a_tagged_service(site, window):
    import psycopg

    provider = TracerProvider(resource=resource("sdk-tagged"))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{site.url}/v1/traces")))
    provider.get_tracer("tests").start_span("one").end()
    provider.shutdown()
    with psycopg.connect(site.dsn) as connection:
        row = connection.execute(
            "SELECT environment, team, version FROM incidents_service WHERE name = 'sdk-tagged'"
        ).fetchone()
    assert row == ("production", "shop", "1.4")
