"""JSON of any shape: a mapping says where each field is, as a JMESPath expression (https://jmespath.org). Without one, our own names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, UnknownFunctionError

from incidents.intake import notices
from incidents.intake.documents import as_text, clean
from incidents.intake.formats.alertmanager import fingerprint_of, tags_of
from incidents.intake.formats.github import FAILED, STARTED, SUCCEEDED
from incidents.intake.notices import AlertNotice, ChangeNotice, Given, Reading, UnusableDelivery, UnusableItem

LONGEST_EXPRESSION = 300
ITEMS = "items"  # where the list of alerts or changes is; a single object counts as a list of one
ALERT_FIELDS = {
    ITEMS: "alerts || @",
    "name": "name || title || alertname",
    "status": "status || state",
    "summary": "summary || message || description",
    "severity": "severity || priority || level",
    "service": "service || labels.service",
    "environment": "environment || env || labels.environment",
    "team": "team || labels.team",
    "fingerprint": "fingerprint || id || dedup_key",
    "at": "at || timestamp || time",
    "starts_at": "starts_at || startsAt",
    "ends_at": "ends_at || endsAt",
    "link": "link || url",
    "user_impact": "user_impact || impact",
    "labels": "labels || tags",
}
CHANGE_FIELDS = {
    ITEMS: "changes || @",
    "service": "service || application || app",
    "title": "title || summary || message",
    "at": "at || timestamp || time || started_at",
    "kind": "kind || type",
    "status": "status || state",
    "version_before": "version_before || from",
    "version_after": "version_after || version || to",
    "environment": "environment || env",
    "author": "author || user",
    "link": "link || url",
    "external_id": "external_id || id",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FIRING = _words(
    "firing fire fired triggered trigger open opened active alert alerting alarm problem down critical error warning warn failed "
    "failing bad true 1"
)
RESOLVED = _words(
    "resolved resolve ok closed close recovered recovery up cleared clear normal inactive good success false 0 fixed healthy green"
)
KINDS = ("deploy", "rollback", "config", "flag", "migration", "other")
CHANGE_STATUSES = {
    **dict.fromkeys(("started", "running", "pending", "in_progress", "created", "begin"), STARTED),
    **dict.fromkeys(("succeeded", "success", "done", "finished", "complete", "completed", "ok"), SUCCEEDED),
    **dict.fromkeys(("failed", "failure", "error", "canceled", "cancelled", "aborted"), FAILED),
}


class BadExpression(ValueError):
    """A path is not a JMESPath expression. The message says where it stops being one."""


@dataclass(frozen=True)
class Field:
    """What the mapping found for one field of the first item; `error` says what is wrong with the expression or the value."""

    name: str
    expression: str
    is_default: bool
    value: str
    error: str


def read_alerts(document: Any, given: Given) -> Reading:
    """Return the alerts that the mapping finds. Raises UnusableDelivery."""
    found, problems = [], []
    for number, item in enumerate(_items(document, given.mapping, ALERT_FIELDS)):
        try:
            found.append(_alert(item, given.mapping, now=given.now))
        except UnusableItem as error:
            problems.append(f"item {number}: {error}")
    return Reading(tuple(found), refused=len(problems), problems=tuple(problems[: notices.MOST_PROBLEMS]))


def read_changes(document: Any, given: Given) -> Reading:
    """Return the changes that the mapping finds. Raises UnusableDelivery."""
    found, problems = [], []
    for number, item in enumerate(_items(document, given.mapping, CHANGE_FIELDS)):
        try:
            found.append(_change(item, given.mapping, now=given.now))
        except UnusableItem as error:
            problems.append(f"item {number}: {error}")
    return Reading(changes=tuple(found), refused=len(problems), problems=tuple(problems[: notices.MOST_PROBLEMS]))


def checked(mapping: Mapping[str, str], *, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the mapping without empty entries. Raises BadExpression, and for a name that is no field."""
    kept = {name: expression.strip() for name, expression in mapping.items() if expression.strip()}
    for name, expression in kept.items():
        if name not in fields:
            raise BadExpression(f"{name!r} is no field; there are {', '.join(fields)}.")
        _require_known_functions(expression)
    return kept


def trial(document: Any, mapping: Mapping[str, str], *, is_change: bool, now: datetime) -> list[Field]:
    """Return, field by field, what a mapping makes of a document's first item: the value, or what is wrong."""
    fields = CHANGE_FIELDS if is_change else ALERT_FIELDS
    try:
        items: Sequence[Any] = _items(document, mapping, fields)
        trouble = "" if items else "The list is empty."
    except UnusableDelivery as error:
        items, trouble = (), str(error)
    first = items[0] if items else None
    rows = [_shown(ITEMS, mapping, fields, value=f"{len(items)} found", error=trouble)]
    for name in fields:
        if name == ITEMS:
            continue
        try:
            value = _value(first, name, mapping, fields) if items else None
            fault = _fault(name, value, now=now) or ("" if is_change else _status_fault(name, value))
            rows.append(_shown(name, mapping, fields, value=_readable(name, value), error=fault))
        except UnusableItem as error:
            rows.append(_shown(name, mapping, fields, value="", error=str(error)))
    return rows


def _shown(name: str, mapping: Mapping[str, str], fields: Mapping[str, str], *, value: str, error: str) -> Field:
    return Field(name, mapping.get(name) or fields[name], not mapping.get(name), "" if error else value, error)


def _readable(name: str, value: object) -> str:
    text = clean(as_text(value), most_bytes=200)
    if not text:
        return ""
    if name == "severity":
        return f"{text} → SEV {notices.severity_of(text)}"
    if name == "status" and text.lower() in FIRING | RESOLVED:
        return f"{text} → {'firing' if text.lower() in FIRING else 'resolved'}"
    return text


def _fault(name: str, value: object, *, now: datetime) -> str:
    """Say what is wrong with a value, if anything; a field that is not there is fine unless it is the name or the title."""
    text = clean(as_text(value), most_bytes=80)
    if name in ("name", "title") and not text:
        return "Nothing found; it is needed."
    if name == "at" and text and notices.time_of(value, now=now) is None:
        return f"{text!r} is no time: send ISO 8601 or Unix seconds."
    if name in ("starts_at", "ends_at") and text and notices.time_of(value, now=now) is None:
        return f"{text!r} is no time: send ISO 8601 or Unix seconds."
    if name == "user_impact" and text.lower() not in notices.YES | {"", "false", "no", "0", "none"}:
        return f"{text!r} is taken as no; true, yes and user mean yes."
    if name == "labels" and text and not isinstance(value, dict):
        return "Labels must be an object of names and values."
    if name == "link" and text and not notices.web_link(value):
        return "A link begins with https:// or http://."
    return ""


def _status_fault(name: str, value: object) -> str:
    if name != "status":
        return ""
    try:
        _status(clean(as_text(value), most_bytes=40))
    except UnusableItem as error:
        return str(error).capitalize()
    return ""


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Any:
    if len(expression) > LONGEST_EXPRESSION:
        raise BadExpression(f"The expression has {len(expression)} characters; at most {LONGEST_EXPRESSION} are taken.")
    try:
        return jmespath.compile(expression)
    except JMESPathError as error:
        raise BadExpression(f"{expression!r}: {str(error).splitlines()[0]}") from error


def _require_known_functions(expression: str) -> None:
    compiled = _compiled(expression)
    try:
        compiled.search({})
    except UnknownFunctionError as error:
        raise BadExpression(f"{expression!r}: {error}") from error
    except (JMESPathError, TypeError, ValueError):
        return  # it does not fit an empty object, which says nothing


def _value(item: Any, name: str, mapping: Mapping[str, str], fields: Mapping[str, str]) -> Any:
    """Return what the field's expression finds. A default that does not fit an item finds nothing; a person's says so."""
    try:
        return _compiled(mapping.get(name) or fields[name]).search(item)
    except (BadExpression, JMESPathError, RecursionError, TypeError, ValueError) as error:
        if not mapping.get(name):
            return None
        raise UnusableItem(f"{name}: {clean(str(error), most_bytes=200)}") from error


def _items(document: Any, mapping: Mapping[str, str], fields: Mapping[str, str]) -> list[Any]:
    try:
        found = _value(document, ITEMS, mapping, fields)
    except UnusableItem as error:
        raise UnusableDelivery(str(error)) from error
    if found is None:
        found = document
    items = found if isinstance(found, list) else [found]
    if len(items) > notices.MOST_ALERTS:
        raise UnusableDelivery(f"The body holds {len(items)} items; at most {notices.MOST_ALERTS} are taken at once.")
    return items


def _alert(item: Any, mapping: Mapping[str, str], *, now: datetime) -> AlertNotice:
    if not isinstance(item, dict):
        raise UnusableItem("it is not an object.")
    get = _Getter(item, mapping, ALERT_FIELDS)
    name = get.text("name", notices.NAME)
    if not name:
        raise UnusableItem("no name was found; map `name`.")
    status = _status(get.text("status", 40))
    at = notices.time_of(get.value("at"), now=now)
    starts_at = notices.time_of(get.value("starts_at"), now=now)
    ends_at = notices.time_of(get.value("ends_at"), now=now)
    labels = notices.texts_of(get.value("labels"))
    tags: dict[str, str] = {
        key: get.text(key, size) or value for (key, value), size in zip(tags_of(labels).items(), _SIZES, strict=True)
    }
    identity = {**labels, "name": name, "service": tags["service"], "environment": tags["environment"]}
    impact = get.text("user_impact", 40).strip().lower()
    return AlertNotice(
        fingerprint=fingerprint_of(get.value("fingerprint"), identity),
        name=name,
        status=status,
        at=(ends_at or at) if status == "resolved" else (starts_at or at),
        starts_at=starts_at,
        begins=starts_at is not None,
        summary=get.text("summary", notices.SUMMARY),
        severity=notices.severity_of(get.text("severity", 40)),
        service=tags["service"],
        environment=tags["environment"],
        team=tags["team"],
        labels=labels,
        link=notices.web_link(get.value("link")),
        has_user_impact=impact in notices.YES or notices.is_user_impact(labels, {}),
    )


_SIZES = (notices.SERVICE, notices.ENVIRONMENT, notices.TEAM)


def _status(text: str) -> str:
    word = text.strip().lower()
    if not word or word in FIRING:
        return "firing"
    if word in RESOLVED:
        return "resolved"
    raise UnusableItem(
        f"the status {text!r} is neither known as firing nor as resolved; map `status` to one of those words."
    )


def _change(item: Any, mapping: Mapping[str, str], *, now: datetime) -> ChangeNotice:
    if not isinstance(item, dict):
        raise UnusableItem("it is not an object.")
    get = _Getter(item, mapping, CHANGE_FIELDS)
    title, service = get.text("title", 300), get.text("service", notices.SERVICE)
    if not title and not service:
        raise UnusableItem("neither a title nor a service was found; map one of them.")
    version, kind = get.text("version_after", 100), get.text("kind", 20).lower()
    return ChangeNotice(
        service=service,
        title=title or clean(f"Change of {service} {version}".strip(), most_bytes=300),
        at=notices.time_of(get.value("at"), now=now),
        kind=kind if kind in KINDS else "deploy" if version else "other",
        status=CHANGE_STATUSES.get(get.text("status", 40).lower(), ""),
        version_before=get.text("version_before", 100),
        version_after=version,
        environment=get.text("environment", notices.ENVIRONMENT),
        author=get.text("author", 150),
        link=notices.web_link(get.value("link")),
        external_id=get.text("external_id", 200),
    )


@dataclass(frozen=True)
class _Getter:
    """Finds the fields of one item."""

    item: Any
    mapping: Mapping[str, str]
    fields: Mapping[str, str]

    def value(self, name: str) -> Any:
        return _value(self.item, name, self.mapping, self.fields)

    def text(self, name: str, most_bytes: int) -> str:
        return clean(as_text(self.value(name)), most_bytes=most_bytes)
