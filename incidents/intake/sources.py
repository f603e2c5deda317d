"""Setting sources up: their names, limits, tokens, signing secrets and mappings. What is secret is returned once, when it is made."""

from collections.abc import Mapping
from datetime import datetime

from incidents.intake import signatures, tokens
from incidents.intake.formats import generic
from incidents.models import AlertSource, SourceToken

MOST_TOKENS = 5  # valid at once, while one replaces another
MOST_SECRETS = 2
NAME_LENGTH = 100
MOST_PER_MINUTE = 1_000_000


class BadSource(ValueError):
    """A source cannot be as it was asked for; the message says what to change."""


def has_mapping(source: AlertSource) -> bool:
    """Whether the source is of a kind whose fields have to be found."""
    return source.kind in (AlertSource.Kind.GENERIC, AlertSource.Kind.GENERIC_CHANGE)


def fields_of(source: AlertSource) -> Mapping[str, str]:
    """Return the fields that a mapping may name, with the expression that holds where it says nothing."""
    return generic.CHANGE_FIELDS if source.kind == AlertSource.Kind.GENERIC_CHANGE else generic.ALERT_FIELDS


def add(*, name: str, kind: str, now: datetime) -> tuple[AlertSource, str]:
    """Add a source and return it with its first token. Raises BadSource."""
    source = AlertSource(kind=kind, created_at=now)
    if kind not in AlertSource.Kind.values:
        raise BadSource(f"“{kind[:40]}” is no kind of source; there are {', '.join(AlertSource.Kind.values)}.")
    rename(source, name)
    source.save()
    return source, tokens.issue(source, now=now)


def rename(source: AlertSource, name: str) -> None:
    """Set the name, without saving. Raises BadSource for one that is empty, too long or taken."""
    source.name = " ".join(name.split())
    if not 0 < len(source.name) <= NAME_LENGTH:
        raise BadSource(f"Give the source a name of 1 to {NAME_LENGTH} characters.")
    if AlertSource.objects.filter(name=source.name).exclude(pk=source.pk).exists():
        raise BadSource(f"There is a source called “{source.name}” already: choose another name.")


def set_limit(source: AlertSource, most_per_minute: int) -> None:
    """Set how much it may send, without saving. Raises BadSource."""
    if not 1 <= most_per_minute <= MOST_PER_MINUTE:
        raise BadSource(f"{most_per_minute} deliveries a minute are not possible: 1 to {MOST_PER_MINUTE:,}.")
    source.most_per_minute = most_per_minute


def set_mapping(source: AlertSource, mapping: Mapping[str, str]) -> None:
    """Set how the sender's JSON is read, without saving. Raises BadSource, also for a kind whose format is known."""
    if not has_mapping(source):
        raise BadSource(f"{source.name} needs no mapping: its format is known.")
    try:
        source.mapping = generic.checked(mapping, fields=fields_of(source))
    except generic.BadExpression as error:
        raise BadSource(str(error)) from error


def save(source: AlertSource) -> None:
    """Keep what was changed; other processes go by it within two seconds."""
    source.save()
    tokens.forget()


def add_token(source: AlertSource, *, now: datetime) -> str:
    """Make a further token and return it; the others stay valid until they are revoked. Raises BadSource when there are too many."""
    if source.tokens.filter(revoked_at=None).count() >= MOST_TOKENS:
        raise BadSource(f"{MOST_TOKENS} tokens are valid already: revoke one that is not used any more.")
    return tokens.issue(source, now=now)


def newest_token(source: AlertSource) -> SourceToken:
    """Return the row of the token that was made last."""
    return source.tokens.order_by("-created_at", "-pk")[0]


def add_signing_secret(source: AlertSource) -> str:
    """Make a signing secret and return it: deliveries must be signed with it or the one before it, older ones are forgotten."""
    secret = signatures.new_secret()
    source.signing_secrets = [tokens.seal(secret), *source.signing_secrets][:MOST_SECRETS]
    _keep_secrets(source)
    return secret


def forget_signing_secrets(source: AlertSource, *, keep_newest: bool) -> None:
    """Forget the older signing secret, or all: then deliveries need no signature."""
    source.signing_secrets = source.signing_secrets[:1] if keep_newest else []
    _keep_secrets(source)


def _keep_secrets(source: AlertSource) -> None:
    source.save(update_fields=["signing_secrets"])
    tokens.forget()
