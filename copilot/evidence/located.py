"""What localization says of an incident, pinned with its evidence: who, how sure, what kind of fault, where, since when, and who not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class LocatedSuspect:
    """One suspect. `confidence` in [0, 1] is the calibrated chance that the fault is here; `why` its strongest findings in a sentence.

    `place` is where within the service: an operation, a connection, a log statement or a resource, as `place_kind` says, "" when unknown.
    `operation` is where that was seen, "" when unknown; `since` is None where no finding has a time.
    """

    service: str
    confidence: float
    why: str
    family: str
    place_kind: str
    place: str
    operation: str
    since: datetime | None
    supporting: tuple[str, ...]
    opposing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cleared:
    """One service that looked suspicious and is not the cause; `cites` are evidence ids."""

    service: str
    reason: str
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Departed:
    """When a service first left its usual range, and by what."""

    service: str
    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Located:
    """Suspects likeliest first, and the spread in time order. `is_named` says whether the first may be called the cause.

    `lead` is the first confidence less the second; `missing` names telemetry that there was none of; `requests` is the fewer of those before
    and during the incident, 0 without spans.
    """

    is_named: bool
    lead: float
    suspects: tuple[LocatedSuspect, ...]
    cleared: tuple[Cleared, ...]
    spread: tuple[Departed, ...]
    missing: tuple[str, ...]
    requests: int


def from_json(data: Mapping[str, Any]) -> Located:
    """Return what was pinned. Raises KeyError, TypeError or ValueError when it is something else."""
    moment = datetime.fromisoformat
    return Located(
        is_named=data["is_named"],
        lead=data["lead"],
        suspects=tuple(
            LocatedSuspect(
                **{
                    **one,
                    "since": moment(one["since"]) if one["since"] else None,
                    "supporting": tuple(one["supporting"]),
                    "opposing": tuple(one["opposing"]),
                }
            )
            for one in data["suspects"]
        ),
        cleared=tuple(Cleared(**{**one, "cites": tuple(one["cites"])}) for one in data["cleared"]),
        spread=tuple(Departed(**{**one, "at": moment(one["at"])}) for one in data["spread"]),
        missing=tuple(data["missing"]),
        requests=data["requests"],
    )
