"""What one service process is told, and the one place in the demo that reads the environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

DEFAULT_ENDPOINT = "http://127.0.0.1:8000"


class BadConfiguration(Exception):
    """A process was started with a configuration that it cannot read; the message names the field."""


@dataclass(frozen=True)
class ServiceConfiguration:
    """All that a service process needs to know; it travels as one JSON line on the child's standard input.

    `peers` maps a service's name to its base URL. `endpoint` is the base URL of an OTLP/HTTP receiver; "" exports nothing.
    `schema` and `key_prefix` keep the shop's rows and keys apart from everybody else's in a shared server.
    """

    service: str
    version: str
    port: int
    endpoint: str
    database_url: str
    redis_url: str
    admin_token: str
    schema: str = "shop"
    key_prefix: str = "shop:"
    metric_seconds: float = 10.0
    peers: Mapping[str, str] = field(default_factory=dict)

    def to_line(self) -> str:
        """Return the configuration as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "ServiceConfiguration":
        """Return the configuration in a line of JSON. Raises BadConfiguration when it is none."""
        try:
            return cls(**json.loads(line))
        except (TypeError, ValueError) as error:
            raise BadConfiguration(
                f"Expected one JSON line with the service's configuration, got {line[:80]!r}: {error}"
            ) from error


@dataclass(frozen=True)
class Surroundings:
    """Where the shop finds its servers and its receiver when the command line does not say."""

    endpoint: str
    database_url: str
    redis_url: str


def surroundings() -> Surroundings:
    """Return what the environment says: OTEL_EXPORTER_OTLP_ENDPOINT, DATABASE_URL and REDIS_URL; "" for a missing server."""
    environment = os.environ  # noqa: TID251 - this is the demo's one place
    return Surroundings(
        endpoint=environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", DEFAULT_ENDPOINT),
        database_url=environment.get("DATABASE_URL", ""),
        redis_url=environment.get("REDIS_URL", ""),
    )
