"""Signed deliveries: Standard Webhooks, GitHub and Grafana. All secrets of a source are tried, so that one can replace another.

Sources: Standard Webhooks specification 1.0; GitHub documentation, validating webhook deliveries; Grafana documentation, webhook notifier.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from incidents.intake.refusals import Refused

WINDOW = timedelta(minutes=5)
PREFIX = "whsec_"
SECRET_BYTES = 32
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def new_secret() -> str:
    """Return a secret in the form that Standard Webhooks libraries take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def require(body: bytes, *, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> None:
    """Return when one of the secrets signed the body. Raises Refused (401) saying what is wrong; for a clock, both times."""
    if ID in headers:
        _require_standard(body, headers=headers, secrets=secrets, now=now)
    elif "X-Hub-Signature-256" in headers:
        given = headers["X-Hub-Signature-256"].removeprefix("sha256=")
        _require_hex(given, (body,), secrets=secrets, header="X-Hub-Signature-256")
    elif "X-Grafana-Alerting-Signature" in headers:
        timestamp = headers.get("X-Grafana-Alerting-Timestamp", "")
        _require_recent(timestamp, header="X-Grafana-Alerting-Timestamp", now=now)
        parts = (timestamp.encode(), b":", body)
        _require_hex(
            headers["X-Grafana-Alerting-Signature"], parts, secrets=secrets, header="X-Grafana-Alerting-Signature"
        )
    else:
        raise _refused(
            f"This source's deliveries must be signed: send {ID}, {TIMESTAMP} and {SIGNATURE} (Standard Webhooks)."
        )


def signed(body: bytes, *, id: str, secret: str, now: datetime) -> dict[str, str]:  # noqa: A002 - the specification's name
    """Return the headers of a delivery signed as Standard Webhooks says."""
    timestamp = str(int(now.timestamp()))
    mac = hmac.new(_key(secret), b".".join((id.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    return {ID: id, TIMESTAMP: timestamp, SIGNATURE: f"v1,{base64.b64encode(mac).decode()}"}


def _require_standard(body: bytes, *, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> None:
    timestamp = headers.get(TIMESTAMP, "")
    _require_recent(timestamp, header=TIMESTAMP, now=now)
    given = []
    for part in headers.get(SIGNATURE, "").split()[:10]:
        version, _, text = part.partition(",")
        if version == "v1":
            try:
                given.append(base64.b64decode(text, validate=True))
            except binascii.Error:
                given.append(b"")
    signed_text = (headers[ID].encode(), b".", timestamp.encode(), b".", body)
    if not _any_equal(given, (_mac(_key(secret), signed_text) for secret in secrets)):
        raise _refused(
            f"{SIGNATURE} does not fit the body: check the secret, and that nothing changes the body on its way."
        )


def _require_hex(given: str, parts: Sequence[bytes], *, secrets: Sequence[str], header: str) -> None:
    try:
        mac = bytes.fromhex(given)
    except ValueError:
        mac = b""
    if not _any_equal([mac], (_mac(secret.encode(), parts) for secret in secrets)):
        raise _refused(
            f"{header} does not fit the body: check the secret, and that nothing changes the body on its way."
        )


def _require_recent(text: str, *, header: str, now: datetime) -> None:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise _refused(f"{header} is {text[:40]!r}; it must be Unix seconds.")
    signed_at = datetime.fromtimestamp(min(int(text), 253_402_300_799), tz=UTC)
    if abs(now - signed_at) > WINDOW:
        raise _refused(
            f"{header} says {signed_at:%Y-%m-%d %H:%M:%S} UTC and this server's clock {now:%Y-%m-%d %H:%M:%S} UTC; "
            f"they may differ by {WINDOW.total_seconds() / 60:g} minutes. Correct the clock that is wrong."
        )


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()


def _mac(key: bytes, parts: Iterable[bytes]) -> bytes:
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        mac.update(part)
    return mac.digest()


def _any_equal(given: Sequence[bytes], expected: Iterable[bytes]) -> bool:
    """Compare each with each in constant time, without stopping at the first that fits."""
    wanted = list(expected)
    found = False
    for one in given:
        for other in wanted:
            found |= hmac.compare_digest(one, other)
    return found


def _refused(message: str) -> Refused:
    return Refused(401, message, reason="signature")
