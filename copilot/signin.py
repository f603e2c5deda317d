"""Signing in: one-time links, and a limit on wrong passwords."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.urls import reverse

from copilot.models import SignInFailure, SignInLink

LINK_LIFETIME = timedelta(hours=24)
FAILURES_ALLOWED = 10
FAILURE_WINDOW = timedelta(minutes=15)


class LinkNotValid(Exception):
    """The link was used already, has run out, or never existed. Which of them is not said."""


def create_link(user: User, *, now: datetime) -> str:
    """Return the path of a link that signs `user` in once within 24 hours. Only the token's hash is kept."""
    token = secrets.token_urlsafe(32)
    SignInLink.objects.create(user=user, token_sha256=_sha256(token), expires_at=now + LINK_LIFETIME)
    return reverse("sign-in", args=[token])


def is_valid(token: str, *, now: datetime) -> bool:
    """Say whether the link still works, without using it."""
    return _usable(token, now=now).exists()


def redeem(token: str, *, now: datetime) -> User:
    """Use the link up and return whom it signs in; of two requests at once only one succeeds. Raises LinkNotValid."""
    if _usable(token, now=now).update(used_at=now) != 1:
        raise LinkNotValid(
            "This link was used already or is older than 24 hours. Sign in with a password, or ask for a new link."
        )
    return SignInLink.objects.select_related("user").get(token_sha256=_sha256(token)).user


def record_failure(*, account: str, address: str, now: datetime) -> None:
    """Count one wrong password, and forget those that no longer count."""
    SignInFailure.objects.filter(at__lt=now - FAILURE_WINDOW).delete()
    SignInFailure.objects.create(account_sha256=_account(account), address=address, at=now)


def forget_failures(*, account: str, address: str) -> None:
    """Start counting anew for an account and address that signed in."""
    SignInFailure.objects.filter(account_sha256=_account(account), address=address).delete()


def tries_left(*, account: str, address: str, now: datetime) -> int:
    """Return how many more wrong passwords are allowed for this account from this address in the last 15 minutes."""
    recent = Q(account_sha256=_account(account), address=address, at__gte=now - FAILURE_WINDOW)
    return max(0, FAILURES_ALLOWED - SignInFailure.objects.filter(recent).count())


def _usable(token: str, *, now: datetime) -> QuerySet[SignInLink]:
    return SignInLink.objects.filter(
        token_sha256=_sha256(token), used_at__isnull=True, expires_at__gt=now, user__is_active=True
    )


def _account(account: str) -> str:
    return _sha256(account.strip().casefold())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
