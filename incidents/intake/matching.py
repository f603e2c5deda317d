"""Which alerts a silence or a grouping rule is about: matchers, label → value, as people write them."""

from collections.abc import Mapping

from incidents.models import Alert

# Names that mean the alert's own fields, not a label.
FIELDS = ("name", "service", "environment", "team", "source")
MOST_MATCHERS = 10
LABEL_LENGTH, VALUE_LENGTH = 64, 300


class BadMatcher(ValueError):
    """A line does not say which label must have which value. The message quotes it and shows how."""


def value_of(alert: Alert, label: str) -> str:
    """Return the alert's value of a label or field; "" when it has none."""
    if label == "source":
        return alert.source.name
    if label in FIELDS:
        return str(getattr(alert, label))
    value = alert.labels.get(label, "")
    return value if isinstance(value, str) else str(value)


def matches(alert: Alert, matchers: Mapping[str, str]) -> bool:
    """Say whether every matcher fits the alert; `*` stands for any part of a value. No matchers fit every alert."""
    return all(_fits(value_of(alert, label), pattern) for label, pattern in matchers.items())


def parse(text: str) -> dict[str, str]:
    """Return the matchers of a text with one `label=value` a line. Raises BadMatcher."""
    found: dict[str, str] = {}
    for line in (line.strip() for line in text.splitlines()):
        if not line:
            continue
        label, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not label or not value:
            raise BadMatcher(
                f"“{line[:80]}” is not label=value. Write one a line, for example service=payments or cluster=eu-*."
            )
        if len(label) > LABEL_LENGTH or len(value) > VALUE_LENGTH:
            raise BadMatcher(
                f"“{line[:80]}…” is too long: a label has at most {LABEL_LENGTH} characters, a value {VALUE_LENGTH}."
            )
        found[label] = value.strip('"')
    if len(found) > MOST_MATCHERS:
        raise BadMatcher(f"{len(found)} matchers are too many: at most {MOST_MATCHERS}.")
    return found


def in_words(matchers: Mapping[str, str]) -> str:
    """Return matchers as one line says them."""
    return ", ".join(f"{label}={value}" for label, value in matchers.items()) or "every alert"


def _fits(value: str, pattern: str) -> bool:
    """Compare piece by piece, in linear time whatever the pattern: people write it, but an attacker's value meets it."""
    first, *rest = pattern.split("*")
    if not rest:
        return value == pattern
    if not value.startswith(first):
        return False
    *middle, last = rest
    at = len(first)
    for piece in middle:
        found = value.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(value) - at >= len(last) and value.endswith(last)
