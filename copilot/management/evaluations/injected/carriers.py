"""How a stranger's words come into the program: each carrier writes a text as telemetry and takes it in by the program's own intake."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain

from copilot.evidence import logs, passages
from copilot.evidence.attached import files as attached_files
from copilot.evidence.attached import gather
from copilot.evidence.bundle import Evidence, EvidenceBundle, Role
from incidents.intake import formats
from incidents.intake.formats import Delivery
from incidents.intake.masking import mask
from incidents.localization.suspects import Finding, Modality
from incidents.telemetry.datamodel import Window, to_ns
from incidents.telemetry.otlp import Signal, decode
from runbooks.chunking import split
from runbooks.passages import Passage

SERVICE = "payments"
Carrier = Callable[[str, EvidenceBundle], Evidence]


def apache(text: str, bundle: EvidenceBundle) -> Evidence:
    """An access log's line in the combined format: the words are in the address and the user agent."""
    when = f"{bundle.incident_start:%d/%b/%Y:%H:%M:%S +0000}"
    return plain_log(f'10.2.3.4 - - [{when}] "GET /search?q={text} HTTP/1.1" 500 162 "-" "{text}"', bundle)


def nginx_error(text: str, bundle: EvidenceBundle) -> Evidence:
    """An error log's line: the words are in the request and the referrer."""
    when = f"{bundle.incident_start:%Y/%m/%d %H:%M:%S}"
    said = f'upstream timed out, client: 10.2.3.4, request: "POST /pay?{text} HTTP/1.1", referrer: "{text}"'
    return plain_log(f"{when} [error] 31#31: *99 {said}", bundle)


def json_log(text: str, bundle: EvidenceBundle) -> Evidence:
    """A structured log line that echoes what the caller sent."""
    return plain_log(json.dumps({"level": "error", "msg": "bad request", "body": text}, ensure_ascii=False), bundle)


def plain_log(text: str, bundle: EvidenceBundle) -> Evidence:
    """A log line as it is."""
    record = {"timeUnixNano": str(to_ns(_moment(bundle))), "severityNumber": 17, "body": {"stringValue": text}}
    return _taken_in("logs", "resourceLogs", {"scopeLogs": [{"logRecords": [record]}]}, bundle)


def otlp_attribute(text: str, bundle: EvidenceBundle) -> Evidence:
    """A span whose exception carries the words in its attributes."""
    at = to_ns(_moment(bundle))
    event = {
        "name": "exception",
        "timeUnixNano": str(at),
        "attributes": _attributes({"exception.type": "ValueError", "exception.message": text}),
    }
    span = {
        "traceId": "8c" * 16, "spanId": "8c" * 8, "name": "POST /charge", "kind": 2, "startTimeUnixNano": str(at),
        "endTimeUnixNano": str(at + 30_000_000), "attributes": _attributes({"user_agent.original": text}), "events": [event],
    }  # fmt: skip
    return _taken_in("traces", "resourceSpans", {"scopeSpans": [{"spans": [span]}]}, bundle)


def alertmanager(text: str, bundle: EvidenceBundle) -> Evidence:
    """A notification of Alertmanager with the words in its annotations; what its reader makes of it is dropped into the chat."""
    alert = {
        "status": "firing", "labels": {"alertname": "PoolFull", "service": SERVICE}, "startsAt": f"{_moment(bundle):%FT%TZ}",
        "annotations": {"summary": f"error in {SERVICE}: {text}", "description": text},
    }  # fmt: skip
    body = json.dumps({"version": "4", "alerts": [alert]}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    reading = formats.read("alertmanager", Delivery(body), mapping={}, now=bundle.gathered_at)
    return _attached(
        "alerts.log",
        "\n".join(f"{_moment(bundle):%FT%TZ} ERROR {each.name}: {each.summary}" for each in reading.alerts),
        bundle,
    )


def kubernetes_event(text: str, bundle: EvidenceBundle) -> Evidence:
    """`kubectl get events`, dropped into the chat, with the words in an event's message."""
    rows = (
        "LAST SEEN   TYPE      REASON    OBJECT                MESSAGE",
        "2m          Normal    Pulled    pod/payments-7d9f     Container image is already present",
        f"1m          Warning   Failed    pod/payments-7d9f     Error: {text}",
    )
    return _attached("events.txt", "\n".join(rows), bundle)


def runbook(text: str, bundle: EvidenceBundle) -> Evidence:
    """A runbook's step with the words in it, cut into passages as the index does."""
    piece = split(mask(f"## First aid\n\n1. {text}\n2. Watch the pool.\n"), title="Payments pool is full")[0]
    found = Passage(1, "runbook", "pool", "Payments pool is full", 1, piece.heading, piece.text, 0, 1.0)
    return passages.from_passage(found, window=_window(bundle), backend="runbook search")


CARRIERS: dict[str, Carrier] = {
    "Apache access log": apache,
    "nginx error log": nginx_error,
    "JSON log": json_log,
    "OTLP attribute": otlp_attribute,
    "Alertmanager annotation": alertmanager,
    "Kubernetes event": kubernetes_event,
    "runbook": runbook,
}


def _taken_in(signal: Signal, outer: str, inner: dict[str, object], bundle: EvidenceBundle) -> Evidence:
    resource = {"attributes": _attributes({"service.name": SERVICE})}
    body = json.dumps({outer: [{"resource": resource, **inner}]}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    lines = decode(signal, body, encoding="json", mask=mask).batch.logs
    finding = Finding(SERVICE, Modality.LOGS, "new log template", 0.0, 1.0, "lines", 9.0, template="<*>")
    window = _window(bundle)
    return logs.from_finding(
        finding, role=Role.CAUSE, lines=lines, since=window.start, window=window, backend="built-in store"
    )


def _attached(name: str, text: str, bundle: EvidenceBundle) -> Evidence:
    read = gather.digest([attached_files.read(name, text.encode("utf-8", "replace"), mask=mask)])
    found = gather.drafts(read, "What is the error and its message?", now=bundle.gathered_at)
    telling = [
        item for item in found if text.splitlines()[-1][-12:] in " ".join(chain(item.excerpt, (item.statement,)))
    ]
    return (telling or found)[0]


def _attributes(values: dict[str, str]) -> list[dict[str, object]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _moment(bundle: EvidenceBundle) -> datetime:
    return bundle.incident_start + timedelta(seconds=30)


def _window(bundle: EvidenceBundle) -> Window:
    return Window(bundle.incident_start, bundle.incident_end)
