"""Keeps what the tokens of an incident stand for: encrypted, with a key that is not in the database. Looking at one is written down."""

import base64
import hashlib
import hmac
from datetime import datetime
from functools import partial

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.db.models import Max

from copilot.models import Pseudonym, Unmasking
from copilot.privacy.pseudonyms import TOKEN, HidingFailed, Pseudonyms, folded
from incidents.models import Incident

LEAST_REASON, LONGEST_REASON = 3, 200  # characters


class UnmaskingRefused(Exception):
    """The reason is missing or too long; the message says what is asked for."""


class UnknownPseudonym(Exception):
    """The token stands for nothing that could be shown; the message says why."""


def of_incident(incident_id: int) -> Pseudonyms:
    """Return an incident's stand-ins; new ones are kept as they are made. Raises HidingFailed when what is kept cannot be read."""
    kept = Pseudonyms()
    try:
        rows = list(Pseudonym.objects.filter(incident_id=incident_id).order_by("pk"))
    except DatabaseError as error:
        raise HidingFailed("Personal data could not be hidden: the database does not answer.") from error
    for row in rows:
        kept.put(row.kind, row.number, _unsealed(row))
    kept.remember = partial(_number, incident_id)
    return kept


def unmask(incident_id: int, *, token: str, reason: str, by: User, now: datetime) -> str:
    """Return what a token such as ‹ip-1› (or ip-1) stands for, and write down who looked and why.

    Whether the person may is asked before. Raises UnmaskingRefused, UnknownPseudonym, HidingFailed.
    """
    reason = " ".join(reason.split())
    if not LEAST_REASON <= len(reason) <= LONGEST_REASON:
        raise UnmaskingRefused(
            f"Say in {LEAST_REASON} to {LONGEST_REASON} characters why you need to see it: the audit log keeps the reason."
        )
    named = TOKEN.fullmatch(f"‹{token.strip().strip('‹›')[:20]}›")
    if named is None:
        raise UnknownPseudonym("That is no token. Tokens look like ‹ip-1› or ‹email-2›.")
    with transaction.atomic():
        row = Pseudonym.objects.filter(incident_id=incident_id, kind=named[1], number=int(named[2])).first()
        if row is None:
            raise UnknownPseudonym(f"{named.group()} stands for nothing on this incident.")
        value = _unsealed(row)
        Unmasking.objects.create(incident_id=incident_id, token=str(row), reason=reason, by=by, at=now)
    return value


def _number(incident_id: int, kind: str, value: str) -> int:
    """Keep a value and return the number of its token; another worker may have kept it meanwhile."""
    fingerprint = _fingerprint(incident_id, kind, value)
    try:
        with transaction.atomic():
            # The incident first, as everybody locks who writes about it.
            Incident.objects.select_for_update().only("pk").get(pk=incident_id)
            kept = Pseudonym.objects.filter(incident_id=incident_id, kind=kind)
            number = kept.filter(fingerprint=fingerprint).values_list("number", flat=True).first()
            if number is None:
                number = 1 + (kept.aggregate(last=Max("number"))["last"] or 0)
                sealed = _cipher().encrypt(value.encode()).decode()
                Pseudonym.objects.create(
                    incident_id=incident_id, kind=kind, number=number, fingerprint=fingerprint, sealed=sealed
                )
    except DatabaseError as error:
        raise HidingFailed("Personal data could not be hidden: the database does not answer.") from error
    return number


def _fingerprint(incident_id: int, kind: str, value: str) -> str:
    return hmac.new(
        _key("fingerprints"), f"{incident_id} {kind} {folded(kind, value)}".encode(), hashlib.sha256
    ).hexdigest()


def _unsealed(row: Pseudonym) -> str:
    try:
        return _cipher().decrypt(row.sealed.encode()).decode()
    except InvalidToken as error:
        raise HidingFailed(
            f"What ‹{row.kind}-{row.number}› stands for cannot be read: SECRET_KEY was changed. Put the old one back."
        ) from error


def _cipher() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_key("values")))


def _key(purpose: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=f"pseudonyms of personal data: {purpose}".encode()).derive(
        settings.SECRET_KEY.encode()
    )
