"""What a delivery says, whoever sent it: alerts and changes as plain values, and what of it could not be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.intake.documents import as_text, clean

MOST_ALERTS = 1_000
MOST_LABELS = 64
MOST_VALUE_BYTES = 2_000
MOST_PROBLEMS = 10
NAME, SUMMARY, SERVICE, ENVIRONMENT, TEAM, LINK, FINGERPRINT = 200, 500, 200, 100, 100, 1000, 64
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # Go's zero time, and clocks that lost their battery, are no time at all
AHEAD = timedelta(days=2)

SEVERITIES: Mapping[str, int] = {
    **dict.fromkeys(("1", "sev1", "sev-1", "p1", "critical", "crit", "page", "emergency", "fatal", "disaster"), 1),
    **dict.fromkeys(("2", "sev2", "sev-2", "p2", "error", "err", "major", "high"), 2),
    **dict.fromkeys(("3", "sev3", "sev-3", "p3", "warning", "warn", "medium", "minor", "average"), 3),
    **dict.fromkeys(("4", "5", "sev4", "sev-4", "p4", "p5", "info", "information", "notice", "low", "none", "ok"), 4),
}
USUAL_SEVERITY = 3
SERVICE_LABELS = ("service", "service_name", "service.name", "app", "application", "component", "job")
ENVIRONMENT_LABELS = ("environment", "env", "deployment_environment", "deployment.environment.name", "stage")
TEAM_LABELS = ("team", "owner", "squad")
TELLING = frozenset(
    (
        *SERVICE_LABELS,
        *ENVIRONMENT_LABELS,
        *TEAM_LABELS,
        "alertname",
        "severity",
        "priority",
        "level",
        "user_impact",
        "impact",
    )
)
YES = frozenset({"1", "true", "yes", "user", "users", "customer", "customers"})


@dataclass(frozen=True)
class Given:
    """What a body is read with: the moment of receipt, what the vendor calls the event, and the source's mapping."""

    now: datetime
    event: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AlertNotice:
    """One alert as a delivery tells it. Times are the sender's; `at` is None when it told none, then receipt counts.

    `begins` says that a firing notice's `at` is the beginning of its episode, not just a moment within it.
    """

    fingerprint: str
    name: str
    status: str  # firing, resolved
    at: datetime | None
    starts_at: datetime | None
    begins: bool = False
    summary: str = ""
    severity: int = USUAL_SEVERITY
    service: str = ""
    environment: str = ""
    team: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    link: str = ""
    has_user_impact: bool = False


@dataclass(frozen=True)
class ChangeNotice:
    """One deploy or setting change. `external_id` is the same in every notice of one change; `at` None means when received."""

    service: str
    title: str
    at: datetime | None
    kind: str = "deploy"
    status: str = ""
    version_before: str = ""
    version_after: str = ""
    environment: str = ""
    author: str = ""
    link: str = ""
    external_id: str = ""


@dataclass(frozen=True)
class Reading:
    """What a body was read as. `refused` counts the items that could not be used; `problems` says why, the first ten."""

    alerts: tuple[AlertNotice, ...] = ()
    changes: tuple[ChangeNotice, ...] = ()
    refused: int = 0
    problems: tuple[str, ...] = ()
    ignored: str = ""  # why there is nothing to keep although nothing is wrong, such as a ping


class UnusableDelivery(Exception):
    """Nothing in the body can be used as it is. The message says which field is missing or wrong, and what it should be."""


class UnusableItem(Exception):
    """One alert or change of a body cannot be used; the message says why. The others can."""


def texts_of(value: object) -> dict[str, str]:
    """Return an object's members as texts, at most 64, each at most 2 kB; anything but an object has none.

    Of more than 64, those are kept that say what the alert is and whose, then the first by name.
    """
    if not isinstance(value, dict):
        return {}
    found = {}
    for key in sorted(value, key=lambda key: (key not in TELLING, key))[:MOST_LABELS]:
        found[clean(key, most_bytes=100)] = clean(as_text(value[key]), most_bytes=MOST_VALUE_BYTES)
    return found


def first_of(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    """Return the value of the first of these labels that is there."""
    return next((labels[name] for name in names if labels.get(name)), "")


def severity_of(text: str) -> int:
    """Return 1 to 4 for the words that senders use; 3 for any other."""
    return SEVERITIES.get(text.strip().lower(), USUAL_SEVERITY)


def is_user_impact(labels: Mapping[str, str], annotations: Mapping[str, str]) -> bool:
    """Whether the sender says that users feel it: a label or annotation `user_impact` (true) or `impact` (user)."""
    return any(
        found.get(name, "").strip().lower() in YES
        for found in (labels, annotations)
        for name in ("user_impact", "impact")
    )


def time_of(value: object, *, now: datetime) -> datetime | None:
    """Return the moment that a text (ISO 8601) or a number (Unix seconds, or milliseconds) tells, UTC; None for none, zero and nonsense."""
    moment: datetime | None = None
    try:
        if isinstance(value, str) and value.strip():
            moment = _from_text(value.strip())
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1000 if value > 100_000_000_000 else value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    if moment is None or not EARLIEST <= moment <= now + AHEAD:
        return None
    return moment


def _from_text(text: str) -> datetime:
    if text.replace(".", "", 1).isdigit() and len(text) > 8:
        number = float(text)
        return datetime.fromtimestamp(number / 1000 if number > 100_000_000_000 else number, tz=UTC)
    if text.endswith(" UTC"):
        text = text.removesuffix(" UTC") + "Z"
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def web_link(value: object) -> str:
    """Return the text if it is an address that a browser may open, else nothing: `javascript:` is never a link."""
    text = clean(as_text(value).strip(), most_bytes=LINK)
    return text if text.startswith(("https://", "http://")) and len(text.split()) == 1 else ""


def items_of(document: Any, key: str) -> list[Any]:
    """Return the list under a key. Raises UnusableDelivery when it is no list, empty, or holds more than 1,000."""
    items = document.get(key) if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise UnusableDelivery(f"`{key}` must be a list of alerts; it is {_kind(items)}.")
    if len(items) > MOST_ALERTS:
        raise UnusableDelivery(f"`{key}` holds {len(items)} alerts; at most {MOST_ALERTS} are taken at once.")
    return items


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "missing"}
    return names.get(type(value), "a number")
