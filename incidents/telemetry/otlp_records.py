"""What both encodings of OTLP are read into before masking; the readers differ, everything after them is shared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Any, Literal, NamedTuple, Protocol

from incidents.telemetry.attributes import Mask

Signal = Literal["traces", "logs", "metrics"]
Encoding = Literal["json", "protobuf"]
Attributes = Mapping[str, object]
SIGNED = Struct(">q")


class MalformedOtlp(Exception):
    """The body is no OTLP request. The message says where (byte or path) and what was expected there."""


class RefusedRecord(Exception):
    """One record of a readable request cannot be kept; the others can."""


class RawSpan(NamedTuple):
    """A span as sent. `attributes` are still in the encoding's own form; `exceptions` holds those of its exception events."""

    trace_id: bytes
    span_id: int
    parent_id: int
    name: str
    kind: int
    start_ns: int
    end_ns: int
    is_error: bool
    status_message: str
    attributes: object
    exceptions: Sequence[tuple[int, Attributes]]


class RawLog(NamedTuple):
    """A log record as sent; `body` is a string or a structure, `attributes` are still in the encoding's own form."""

    time_ns: int
    severity: int
    body: object
    trace_id: bytes
    span_id: int
    attributes: object


class RawMetric(NamedTuple):
    """A metric's description and its points, still in the encoding's own form."""

    name: str
    unit: str
    shape: Literal["number", "histogram", "exponential", "summary", "none"]
    is_cumulative: bool
    is_monotonic: bool
    points: Sequence[object]


class RawNumber(NamedTuple):
    """One number of a gauge or sum. `start_ns` is 0 when the sender did not say."""

    time_ns: int
    start_ns: int
    value: float
    attributes: Attributes


class RawHistogram(NamedTuple):
    """One histogram, of explicit bounds or exponential buckets (given as bounds too), or a summary with its quantiles.

    `counts` has one entry more than `bounds`; the last bucket has no upper bound. `quantiles` is empty but for a summary.
    """

    time_ns: int
    start_ns: int
    total: float
    sum: float
    bounds: Sequence[float]
    counts: Sequence[int]
    quantiles: Sequence[tuple[float, float]]
    attributes: Attributes


class Reader(Protocol):
    """Reads one encoding. Functions that take an item raise RefusedRecord when that item cannot be kept."""

    def parse(self, signal: Signal, body: bytes) -> object:
        """Return the request, or raise MalformedOtlp."""

    def groups(self, signal: Signal, request: object) -> Iterator[tuple[Attributes, Iterable[object]]]:
        """Yield each resource's attributes with its spans, log records or metrics."""

    def span(self, item: object) -> RawSpan:
        """Read a span."""

    def log(self, item: object) -> RawLog:
        """Read a log record."""

    def attributes(self, sent: Any) -> Attributes:
        """Read the attributes of a span or log record."""

    def text(self, sent: Any, *, mask: Mask) -> str:
        """Write the attributes of a span or log record as `as_text` does."""

    def metric(self, item: object) -> RawMetric:
        """Read a metric's description."""

    def number(self, item: object) -> RawNumber:
        """Read a point of a gauge or sum."""

    def histogram(self, item: object, shape: str) -> RawHistogram:
        """Read a point of a histogram, exponential histogram or summary."""


def exponential_bounds(*, scale: int, offset: int, filled: int) -> list[float]:
    """Return the `filled` + 1 bounds of exponential buckets: base ** (offset + i), base = 2 ** (2 ** -scale). Source: OTLP's data model."""
    exponent = 2.0**-scale
    return [2.0 ** min(1023.0, max(-1074.0, exponent * (offset + i))) for i in range(filled + 1)]


def signed(identifier: bytes) -> int:
    """Return an 8-byte span id as the signed 64-bit number that the database keeps."""
    return int(SIGNED.unpack(identifier)[0])
