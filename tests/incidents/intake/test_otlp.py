import gzip
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from incidents.intake.otlp import RefusedRequest, encoding_of, inflate, within_retention
from incidents.telemetry.datamodel import LogRecord, MetricPoint, Span, TelemetryBatch, to_ns

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def refused(status, call, *arguments, **keywords):
    with pytest.raises(RefusedRequest) as caught:
        call(*arguments, **keywords)
    assert caught.value.status == status
    return str(caught.value)


@pytest.mark.parametrize("name", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])
def test_the_content_type_names_the_encoding(name):
    assert encoding_of(name) == "json"
    assert encoding_of("application/x-protobuf") == "protobuf"


@pytest.mark.parametrize("name", ["", "text/plain", "application/protobuf"])
def test_other_content_types_are_refused_with_the_right_ones(name):
    assert "application/x-protobuf" in refused(415, encoding_of, name)


def test_gzip_of_one_or_more_members_is_inflated():
    assert inflate(gzip.compress(b"ab") + gzip.compress(b"cd"), compression="GZIP") == b"abcd"
    assert inflate(b"ab", compression="") == inflate(b"ab", compression="identity") == b"ab"


def test_a_bomb_is_refused_without_inflating_it(settings):
    bomb = gzip.compress(bytes(200 * 1024 * 1024))
    assert f"{settings.OTLP_MAX_BYTES} bytes" in refused(413, inflate, bomb, compression="gzip")
    many = gzip.compress(bytes(1_000_000)) * 50
    refused(413, inflate, many, compression="gzip")


def test_a_body_of_exactly_the_limit_is_taken(settings):
    settings.OTLP_MAX_BYTES = 1_000
    assert len(inflate(gzip.compress(bytes(1_000)), compression="gzip")) == 1_000
    refused(413, inflate, gzip.compress(bytes(1_001)), compression="gzip")
    refused(413, inflate, bytes(1_001), compression="")


@pytest.mark.parametrize(
    "body", [gzip.compress(b"x" * 999)[:-9], b"plain", zlib.compress(b"x"), gzip.compress(b"x") + b"garbage"]
)
def test_what_is_not_whole_gzip_is_refused(body):
    refused(400, inflate, body, compression="gzip")


@pytest.mark.parametrize("compression", ["zstd", "deflate", "br", "gzip, gzip"])
def test_other_compressions_are_refused(compression):
    assert "send gzip" in refused(415, inflate, b"", compression=compression)


def test_records_outside_of_the_retention_are_rejected(settings):
    settings.HOT_STORE_RETENTION = timedelta(hours=72)
    times = [to_ns(NOON + timedelta(hours=h)) for h in (-73, -71, 0, 23, 25)]
    batch = TelemetryBatch(
        [Span(bytes(16), 1, 0, "cart", "x", 2, t, 0, False, "{}") for t in times]
        + [Span(bytes(16), 1, 0, "cart", "x", 2, times[2], 1 << 62, False, "{}")],
        [LogRecord(t, "cart", 9, "x", b"", 0, "{}") for t in times],
        [MetricPoint(t, "cart", "m", "{}", "", 1.0) for t in times],
    )
    kept = within_retention(batch, now=NOON)
    assert (len(kept.spans), len(kept.logs), len(kept.points), kept.rejected) == (3, 3, 3, 7)
    assert "72 h ago" in kept.reason
