"""OpenTelemetry for one service process: providers, exporters, process metrics and logs that know their trace.

Only the SDK is used, no instrumentation package: the spans are made in `serving`, `calling` and `storage`.
"""

import logging
import sysconfig
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil
from opentelemetry import metrics, trace
from opentelemetry._logs import Logger, LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from demo.shop.configuration import ServiceConfiguration

TEAMS = {"storefront": "web", "catalog": "discovery", "cart": "web", "orders": "fulfilment", "payments": "payments"}
# A stack trace names the code, not where it is installed.
CODE_FOLDERS = tuple(
    f"{folder}/"
    for folder in (
        Path(__file__).resolve().parent.parent.parent,
        sysconfig.get_path("purelib"),
        sysconfig.get_path("stdlib"),
    )
)
EXPORT_SECONDS = 10  # time-out of one export
BATCH_MILLISECONDS = 5_000

tracer = trace.get_tracer("demo.shop")
meter = metrics.get_meter("demo.shop")

_SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


class OtlpHandler(logging.Handler):
    """Hands Python's log records to the OpenTelemetry logger, with the span that was active when they were written."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Export one record; a stack trace becomes the exception attributes of the semantic conventions."""
        attributes: dict[str, str] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            attributes["exception.type"] = type(error).__qualname__
            attributes["exception.message"] = str(error)
            attributes["exception.stacktrace"] = _stack_trace(error)
        self._logger.emit(
            LogRecord(
                timestamp=int(record.created * 1_000_000) * 1_000,
                severity_text=record.levelname,
                severity_number=_SEVERITIES.get(record.levelno, SeverityNumber.UNSPECIFIED),
                body=record.getMessage(),
                attributes=attributes,
            )
        )


def _stack_trace(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error, limit=-6))
    for folder in sorted(CODE_FOLDERS, key=len, reverse=True):  # packages lie inside the project or the library
        text = text.replace(folder, "")
    return text


@dataclass(frozen=True)
class Telemetry:
    """The providers of this process; `close` sends what is still held."""

    traces: TracerProvider
    metrics: MeterProvider
    logs: LoggerProvider

    def close(self) -> None:
        """Send the rest and stop the exporters' threads."""
        self.traces.shutdown()
        self.metrics.shutdown()
        self.logs.shutdown()


def resource_of(config: ServiceConfiguration) -> Resource:
    """Return who is speaking: name, version, environment and owning team."""
    return Resource(
        {
            "service.name": config.service,
            "service.version": config.version,
            "deployment.environment": "demo",
            "team": TEAMS.get(config.service, "platform"),
        }
    )


def start(config: ServiceConfiguration) -> Telemetry:
    """Start exporting this process's traces, metrics and logs to the configured OTLP/HTTP receiver."""
    resource = resource_of(config)
    base = config.endpoint.rstrip("/")
    traces = TracerProvider(resource=resource)
    readers = []
    logs = LoggerProvider(resource=resource)
    if base:
        traces.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(endpoint=f"{base}/v1/traces", timeout=EXPORT_SECONDS, compression=Compression.Gzip),
                schedule_delay_millis=BATCH_MILLISECONDS,
            )
        )
        readers.append(
            PeriodicExportingMetricReader(
                OTLPMetricExporter(endpoint=f"{base}/v1/metrics", timeout=EXPORT_SECONDS, compression=Compression.Gzip),
                export_interval_millis=config.metric_seconds * 1_000,
            )
        )
        logs.add_log_record_processor(
            BatchLogRecordProcessor(
                OTLPLogExporter(endpoint=f"{base}/v1/logs", timeout=EXPORT_SECONDS, compression=Compression.Gzip),
                schedule_delay_millis=BATCH_MILLISECONDS,
            )
        )
    provider = MeterProvider(resource=resource, metric_readers=readers, exemplar_filter=AlwaysOffExemplarFilter())
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(provider)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("shop").addHandler(OtlpHandler(logs.get_logger("shop")))
    _watch_process()
    return Telemetry(traces, provider, logs)


def observe(name: str, read: Callable[[], Iterable[Observation]], *, unit: str, description: str) -> None:
    """Report a gauge that is read at every export; `read` may yield nothing when there is nothing to say."""

    def callback(_: CallbackOptions) -> Iterable[Observation]:
        return read()

    meter.create_observable_gauge(name, callbacks=[callback], unit=unit, description=description)


def _watch_process() -> None:
    process = psutil.Process()
    process.cpu_percent()  # the first call only sets the mark that the next one measures from

    def cpu() -> list[Observation]:
        # The share of one CPU: a Python process cannot use more than one for its own code.
        return [Observation(process.cpu_percent() / 100)]

    def memory() -> list[Observation]:
        return [Observation(process.memory_info().rss)]

    observe(
        "process.cpu.utilization",
        cpu,
        unit="1",
        description="CPU time used since the last export, as a share of one CPU.",
    )
    observe("process.memory.usage", memory, unit="By", description="Resident memory.")
