"""Tokens for the REST API: made for a person, shown once, and no stronger than that person."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from copilot.models import ApiToken

# Scope → what it is for, in words.
SCOPES = {
    "read": "read everything that you may read",
    "respond": "work on incidents: acknowledge, note, assign, merge",
    "manage": "set up sources, services, teams and grouping rules",
}
PREFIX = "cpa_"
LIFETIMES_DAYS = (1, 30, 90, 365)
MOST = 20  # of one person that still work
NOTED_EVERY = timedelta(minutes=1)  # how exactly the last use is kept


class TokenRefused(Exception):
    """The token cannot be made; the text says why."""


def create(
    user: User, *, name: str, scopes: Collection[str], lifetime_days: int, now: datetime
) -> tuple[ApiToken, str]:
    """Make a token and return its row and the token itself, which is kept nowhere. Raises TokenRefused."""
    name = name.strip()
    if not name or len(name) > 80:
        raise TokenRefused("Give the token a name of 1 to 80 characters, for example the program that uses it.")
    chosen = [scope for scope in SCOPES if scope in scopes]
    if not chosen or len(chosen) != len(set(scopes)):
        raise TokenRefused(f"Choose at least one scope of {', '.join(SCOPES)}.")
    if lifetime_days not in LIFETIMES_DAYS:
        raise TokenRefused(f"A token works for {', '.join(map(str, LIFETIMES_DAYS))} days.")
    if usable(now=now).filter(user=user).count() >= MOST:
        raise TokenRefused(f"You have {MOST} tokens that work. Revoke one first.")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken.objects.create(
        user=user,
        name=name,
        token_sha256=_sha256(token),
        beginning=token[:12],
        scopes=chosen,
        created_at=now,
        expires_at=now + timedelta(days=lifetime_days),
    )
    return row, token


def find(token: str, *, now: datetime) -> ApiToken | None:
    """Return the token's row with its person, None when it does not work: unknown, expired, revoked, or the person has no access."""
    found = usable(now=now).select_related("user").filter(token_sha256=_sha256(token), user__is_active=True).first()
    if found is not None and (found.last_used_at is None or now - found.last_used_at > NOTED_EVERY):
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found


def revoke(token_id: int, *, of: User | None, now: datetime) -> bool:
    """End a token, of this person or with None of anybody. Say whether there was one that worked."""
    mine = ApiToken.objects.filter(pk=token_id, revoked_at=None)
    if of is not None:
        mine = mine.filter(user=of)
    return mine.update(revoked_at=now) == 1


def usable(*, now: datetime) -> QuerySet[ApiToken]:
    """Return the tokens that are neither revoked nor expired."""
    return ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
