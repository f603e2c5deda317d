import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from incidents.intake.masking import mask as mask_text
from incidents.telemetry import otlp_protobuf
from incidents.telemetry.datamodel import LogRecord, ServiceTags, Span
from incidents.telemetry.otlp import MalformedOtlp, decode
from tests.incidents.telemetry import requests
from tests.incidents.telemetry.requests import NOON, SECOND, TRACE


def decode_json(signal, document, *, mask=str):
    body = document if isinstance(document, bytes) else requests.in_json(document)
    return decode(signal, body, encoding="json", mask=mask)


def one_span(**fields):
    [span] = decode_json("traces", requests.request("traces", [requests.span(**fields)])).batch.spans
    return span


def one_line(body="started", **fields):
    [record] = decode_json("logs", requests.request("logs", [requests.line(body, **fields)])).batch.logs
    return record


def test_a_span_keeps_what_it_says():
    span = one_span(
        number=2, parent=1, took=3 * SECOND, status={"code": 2}, attributes=requests.attributes({"http.route": "/cart"})
    )
    assert span == Span(
        bytes.fromhex(TRACE), 2, 1, "cart", "GET /cart", 2, NOON, 3 * SECOND, True, '{"http.route":"/cart"}'
    )


def test_span_ids_are_signed():
    assert one_span(spanId="ffffffffffffffff").span_id == -1


def test_absent_fields_have_their_defaults():
    span = one_span(kind=None, status={}, endTimeUnixNano=None)
    assert (span.kind, span.is_error, span.duration_ns, span.attributes) == (0, False, 0, "{}")


def test_enumerations_may_be_names():
    assert one_span(kind="SPAN_KIND_CLIENT", status={"code": "STATUS_CODE_ERROR"})[5::3] == (3, True)


def test_an_exception_stays_with_its_span_and_becomes_a_log_record():
    exception = {"exception.type": "PoolTimeout", "exception.message": "no connection within 5 s"}
    event = {"name": "exception", "timeUnixNano": str(NOON + 5), "attributes": requests.attributes(exception)}
    batch = decode_json("traces", requests.request("traces", [requests.span(events=[event])])).batch
    assert json.loads(batch.spans[0].attributes) == exception
    [record] = batch.logs
    assert (record.body, record.severity, record.time_ns) == ("PoolTimeout: no connection within 5 s", 17, NOON + 5)
    assert (record.trace_id, record.span_id) == (bytes.fromhex(TRACE), 1)


def test_resources_name_the_service_and_tag_it():
    resource = {"deployment.environment.name": "production", "service.version": "1.4", "team": "payments"}
    decoded = decode_json(
        "traces", requests.request("traces", [requests.span(at=NOON + 9), requests.span(at=NOON)], **resource)
    )
    assert decoded.tags == {"cart": ServiceTags("cart", "production", "payments", "1.4")}
    assert decoded.versions == {("cart", "1.4"): NOON}


def test_a_resource_without_a_name_is_an_unknown_service():
    assert (
        decode_json("traces", requests.request("traces", [requests.span()], service=None)).batch.spans[0].service
        == "unknown_service"
    )


def service_of(name):
    request = requests.request("traces", [requests.span()], service=name)
    return decode_json("traces", request, mask=mask_text).batch.spans[0].service


@pytest.mark.parametrize("name", ["user@eu.west", "checkout@region-1.example.com", "cart"])
def test_a_service_s_name_that_looks_like_an_address_stays(name):
    assert service_of(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "https://shop:hunter2@db",
        "password=hunter2@eu.west",
        "ghp_hunter2hunter2hunter2hunter2hunter2@eu.west",
        "cart bob.hunter2@example.com",
    ],
)
def test_a_secret_in_a_service_s_name_is_masked(name):
    assert "hunter2" not in service_of(name)


def test_a_log_record_keeps_what_it_says():
    record = one_line(
        "pool exhausted", severityNumber=17, traceId=TRACE, spanId=f"{7:016x}", attributes=requests.attributes({"n": 3})
    )
    assert record == LogRecord(NOON, "cart", 17, "pool exhausted", bytes.fromhex(TRACE), 7, '{"n":3}')


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("12:00:01 ERROR pool exhausted", 17),
        ("WARN slow", 13),
        ("2026-03-14 [INFO] ok", 9),
        ("informed of errors", 0),
        ("x" * 100 + "ERROR", 0),
    ],
)
def test_the_level_is_read_from_the_line_when_nothing_else_says_it(body, severity):
    assert one_line(body).severity == severity


def test_a_structured_body_becomes_json_text():
    assert json.loads(one_line({"event": "paid", "items": [1, 2]}).body) == {"event": "paid", "items": [1, 2]}


def test_text_is_masked_everywhere():
    def mask(text):
        return text.replace("hunter2", "***")

    resource = {"service.version": "hunter2"}
    event = {"name": "exception", "attributes": requests.attributes({"exception.message": "hunter2"})}
    span = requests.span(
        name="GET /hunter2",
        status={"message": "hunter2"},
        events=[event],
        attributes=requests.attributes({"a": ["hunter2"], "b": {"c": "hunter2"}}),
    )
    everything = repr(decode_json("traces", requests.request("traces", [span], **resource), mask=mask))
    everything += repr(
        decode_json(
            "logs", requests.request("logs", [requests.line({"x": "hunter2"}), requests.line(["hunter2"])]), mask=mask
        )
    )
    metric = requests.gauge("hunter2", [1], attributes=requests.attributes({"k": "hunter2"}))
    everything += repr(decode_json("metrics", requests.request("metrics", [metric], service="hunter2"), mask=mask))
    assert "hunter2" not in everything


@pytest.mark.parametrize(
    "key",
    [
        "Authorization",
        "http.request.header.cookie",
        "db.password",
        "api_key",
        "x-api-key",
        "access.token",
        "clientSecret",
    ],
)
def test_header_like_attributes_are_masked_whole(key):
    assert (
        "open sesame"
        not in one_span(
            attributes=requests.attributes({key: "open sesame", "nested": {key: ["open sesame"]}})
        ).attributes
    )


def test_counts_of_tokens_are_no_secrets():
    values = {"gen_ai.usage.input_tokens": 12, "session.token": 7, "tokenizer": "bpe"}
    assert json.loads(one_span(attributes=requests.attributes(values)).attributes) == values


def test_what_the_database_refuses_is_replaced():
    span = one_span(name="a\0b", attributes=requests.attributes({"k\0": "v\0", "n": float("inf")}))
    assert "\0" not in span.operation
    assert "\\u0000" not in span.attributes
    assert json.loads(span.attributes)["n"] == "inf"


def test_everything_is_bounded():
    deep = {}
    for _ in range(30):
        deep = {"k": deep}
    many = {f"k{i}": i for i in range(500)}
    span = one_span(name="n" * 9_999, attributes=requests.attributes({"long": "x" * 99_999, "deep": deep, **many}))
    assert len(span.operation) <= 301
    assert len(span.attributes) < 8_000
    assert len(one_line("x" * 99_999).body) <= 16_385


BROKEN = [
    requests.span(traceId="xyz"),
    requests.span(traceId="00"),
    requests.span(spanId=""),
    requests.span(startTimeUnixNano=None),
    requests.span(startTimeUnixNano="9" * 5_000),
    requests.span(startTimeUnixNano=str(1 << 64)),
    requests.span(startTimeUnixNano=-1),
    requests.span(startTimeUnixNano=1.5),
    requests.span(startTimeUnixNano=True),
    requests.span(name=7),
    requests.span(kind=[]),
    requests.span(status="bad"),
    requests.span(attributes={"a": 1}),
    requests.span(attributes=[{"key": 1, "value": {"stringValue": "x"}}]),
    requests.span(attributes=[{"value": {}}]),
    requests.span(attributes=[{"key": "k", "value": {"intValue": "many"}}]),
    requests.span(attributes=[{"key": "k", "value": "bare"}]),
    requests.span(events="none"),
    7,
    None,
    "span",
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: json.dumps(broken)[:60])
def test_a_broken_record_is_counted_and_the_others_are_kept(broken):
    batch = decode_json("traces", requests.request("traces", [requests.span(1), broken, requests.span(2)])).batch
    assert (len(batch.spans), batch.rejected) == (2, 1)
    assert batch.reason


REJECTED = [
    b"", b" ", b"{", b"[", b"nul", b"{]", b"[1,]", b'{"a":1,}', b"{'a':1}", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1e999}', b'{"a":-}', b'{"a":01}',
    b'{"a":"\t"}', b'{"a":"\\x"}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b'"\xed\xa0\x80"', b'{"a" 1}', b'{"a"}', b"{1:1}", b"{}{}", b"{}x", b"/* */{}",
    b'{"a":0x1}', b'{"a":.5}', b'{"a":5.}', b'{"a":1e}', b'\xef\xbb\xbf{}', b"\x00{}", b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"9" * 5_000 + b"}",
    b"[]", b"null", b"7", b'"text"', b"true",
    b'{"resourceSpans":7}', b'{"resourceSpans":{}}', b'{"resourceSpans":[7]}', b'{"resourceSpans":[null]}', b'{"resourceSpans":[[]]}',
    b'{"resourceSpans":[{"resource":7}]}', b'{"resourceSpans":[{"resource":{"attributes":7}}]}', b'{"resourceSpans":[{"scopeSpans":7}]}',
    b'{"resourceSpans":[{"scopeSpans":[7]}]}', b'{"resourceSpans":[{"scopeSpans":[{"spans":7}]}]}',
]  # fmt: skip


@pytest.mark.parametrize("body", REJECTED, ids=lambda body: repr(body[:40]))
def test_what_is_no_request_is_refused_with_a_position(body):
    with pytest.raises(MalformedOtlp, match=r"column \d+|expected"):
        decode_json("traces", body)


ACCEPTED = [
    b"{}", b" {} ", b'\n{\r\n\t"a" : [ ] }', b'{"a":"\\u0000"}', b'{"a":"\\ud83d\\ude00"}', b'{"a":"\xf0\x9f\x98\x80"}', b'{"a":-0}', b'{"a":1E+2}',
    b'{"a":123456789012345678901234567890}', b'{"a":1,"a":2}', b'{"":0}', b'{"a":null,"b":true,"c":false}', b'{"a":1e-999}', b'{"a":"\\/\\b\\f"}',
    b'{"resourceSpans":null}', b'{"resourceSpans":[]}', b'{"resourceSpans":[{}]}', b'{"resourceSpans":[{"resource":null,"scopeSpans":[{"spans":null}]}]}',
]  # fmt: skip


@pytest.mark.parametrize("body", ACCEPTED, ids=lambda body: repr(body[:40]))
def test_valid_json_with_unknown_or_absent_fields_is_an_empty_request(body):
    assert decode_json("traces", body).batch.spans == []


@pytest.mark.parametrize(
    "body",
    [b"\xff\xff\xff", b"\x0a\xff", requests.in_protobuf("traces", requests.request("traces", [requests.span()]))[:-7]],
)
def test_what_is_no_protobuf_message_is_refused(body):
    with pytest.raises(MalformedOtlp, match="bytes are no protobuf ExportTraceServiceRequest"):
        decode("traces", body, encoding="protobuf", mask=str)


def key_value(key, value):
    """An attribute in protobuf, as bytes."""
    return KeyValue(key=key, value=AnyValue(string_value=value)).SerializeToString()


def test_attributes_in_protobuf_are_masked_however_often_they_come():
    masked = []

    def mask(text):
        masked.append(text)
        return text.replace("hunter2", "***")

    values = {"url": "/hunter2", "authorization": "hunter2", "long": "hunter2" * 100}
    body = requests.in_protobuf(
        "traces",
        requests.request("traces", [requests.span(i + 1, attributes=requests.attributes(values)) for i in range(9)]),
    )
    spans = decode("traces", body, encoding="protobuf", mask=mask).batch.spans
    assert {span.attributes for span in spans} == {
        '{"authorization":"[masked]","long":"' + "***" * 100 + '","url":"/***"}'
    }
    assert masked.count("/hunter2") == 1  # it is remembered


def test_an_attribute_in_protobuf_that_comes_twice_counts_once_and_too_many_are_dropped():
    twice = [key_value("k", "first"), key_value("a", "b"), key_value("k", "last")]
    assert otlp_protobuf.text(twice, mask=str) == '{"a":"b","k":"last"}'
    many = json.loads(otlp_protobuf.text([key_value(f"k{i}", "v") for i in range(500)], mask=str))
    assert (len(many), many["…"]) == (129, "372 more attributes were dropped")


def test_a_span_whose_attribute_is_no_protobuf_is_refused_alone():
    body = requests.in_protobuf("traces", requests.request("traces", [requests.span(1), requests.span(2)]))
    request = otlp_protobuf.REQUESTS["traces"].FromString(body)
    request.resource_spans[0].scope_spans[0].spans[0].attributes.append(b"\xff")
    batch = decode("traces", request.SerializeToString(), encoding="protobuf", mask=str).batch
    assert ([span.span_id for span in batch.spans], batch.rejected) == ([2], 1)
    assert "no protobuf KeyValue" in batch.reason


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(otlp_protobuf, "MOST_REMEMBERED", 10)
    known = otlp_protobuf._Members(str)
    for i in range(95):
        known[key_value("k", str(i))]
    assert len(known) <= 10


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.integers(-(1 << 63), (1 << 63) - 1)
values = st.recursive(
    names | numbers | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
spans = st.builds(
    requests.span,
    number=st.integers(1, (1 << 64) - 1),
    parent=st.integers(0, (1 << 64) - 1),
    name=names,
    at=st.integers(5, 1 << 62),
    took=st.integers(-5, 1 << 40),
    kind=st.integers(0, 5),
    attributes=st.dictionaries(names, values, max_size=4).map(requests.attributes),
)
lines = st.builds(requests.line, values, at=st.integers(1, 1 << 62), severityNumber=st.integers(0, 24))
gauges = st.builds(
    requests.gauge, names.filter(bool), st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4)
)
totals = st.builds(
    requests.total, names.filter(bool), st.lists(st.floats(0, 1e12), max_size=4), temporality=st.sampled_from([1, 2])
)


@given(st.lists(spans, max_size=3), st.lists(lines, max_size=3), st.lists(gauges | totals, max_size=3), names)
def test_both_encodings_read_the_same(some_spans, some_lines, some_metrics, service):
    for signal, records in (("traces", some_spans), ("logs", some_lines), ("metrics", some_metrics)):
        document = requests.request(signal, records, service=service)
        from_json = decode_json(signal, document)
        assert decode(signal, requests.in_protobuf(signal, document), encoding="protobuf", mask=str) == from_json
        assert len(from_json.batch.spans) == len(records) or signal != "traces"


@given(st.binary(max_size=200), st.sampled_from(["traces", "logs", "metrics"]), st.sampled_from(["json", "protobuf"]))
def test_any_bytes_are_decoded_or_refused(body, signal, encoding):
    with contextlib.suppress(MalformedOtlp):
        decode(signal, body, encoding=encoding, mask=str)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | names,
        lambda inner: st.lists(inner) | st.dictionaries(names, inner),
        max_leaves=8,
    )
)
def test_any_json_value_in_place_of_a_field_is_refused_alone(value):
    for key in ("traceId", "name", "kind", "startTimeUnixNano", "status", "attributes", "events"):
        batch = decode_json(
            "traces", requests.request("traces", [requests.span(1), requests.span(2, **{key: value})])
        ).batch
        assert len(batch.spans) + batch.rejected == 2
