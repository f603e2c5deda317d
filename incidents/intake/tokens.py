"""Tokens that sources authenticate with: made here, shown once, kept as SHA-256, replaced with an overlap, revoked within seconds."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import Q

from incidents.models import AlertSource, SourceToken

TOKEN_BYTES = 16  # 32 hexadecimal digits, what PagerDuty's own agents take for a routing key
BEGINNING = 6
KNOWN_FOR = timedelta(seconds=2)
MOST_KNOWN = 1_000
_known: dict[str, tuple[datetime, AlertSource | None]] = {}  # by the token's digest, as this process last saw it
USED_EVERY = timedelta(minutes=1)  # the last use is written down at most so often


class UndecipherableSecret(Exception):
    """A signing secret was kept under another SECRET_KEY; it has to be made anew."""


def issue(source: AlertSource, *, now: datetime) -> str:
    """Make a further token and return it: it cannot be shown again. Those before stay valid until they are revoked."""
    token = secrets.token_hex(TOKEN_BYTES)
    SourceToken.objects.create(source=source, token_sha256=digest(token), beginning=token[:BEGINNING], created_at=now)
    forget()
    return token


def revoke(token: SourceToken, *, now: datetime) -> None:
    """End a token's validity now. Does nothing when it has ended."""
    SourceToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
    forget()


def source_of(token: str, *, now: datetime) -> AlertSource | None:
    """Return the source that a valid token belongs to, enabled or not; what other processes change counts within two seconds."""
    if not token or len(token) > 200:
        return None
    key = digest(token)
    found = _known.get(key)
    if found is None or not timedelta(0) <= now - found[0] < KNOWN_FOR:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        found = _known[key] = now, _look_up(key, now=now)
    return found[1]


def forget() -> None:
    """Forget what this process knows of tokens and sources, because they were changed."""
    _known.clear()


def _look_up(key: str, *, now: datetime) -> AlertSource | None:
    found = SourceToken.objects.select_related("source").filter(token_sha256=key, revoked_at=None).first()
    if found is None:
        return None
    _note_use(found, now=now)
    return found.source


def _note_use(token: SourceToken, *, now: datetime) -> None:
    if token.last_used_at is None or now - token.last_used_at >= USED_EVERY:
        is_due = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
        SourceToken.objects.filter(is_due, pk=token.pk).update(last_used_at=now)
        AlertSource.objects.filter(pk=token.source_id).update(last_received_at=now)


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def token_in(headers: Mapping[str, str]) -> str:
    """Return the token that the headers carry: Bearer, the password of Basic, or GitLab's own header; empty for none."""
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return headers.get("X-Gitlab-Token", "")


def seal(secret: str) -> str:
    """Return a signing secret as it may be kept: encrypted with a key that is made from SECRET_KEY, so not in the database."""
    return _cipher().encrypt(secret.encode()).decode()


def unseal(kept: str) -> str:
    """Return the secret again. Raises UndecipherableSecret."""
    try:
        return _cipher().decrypt(kept.encode()).decode()
    except InvalidToken as error:
        raise UndecipherableSecret(
            "A signing secret cannot be read: SECRET_KEY was changed. Make a new signing secret for the source."
        ) from error


def _cipher() -> Fernet:
    key = HKDF(SHA256(), length=32, salt=None, info=b"signing secrets of alert sources").derive(
        settings.SECRET_KEY.encode()
    )
    return Fernet(base64.urlsafe_b64encode(key))
