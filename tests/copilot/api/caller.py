"""A program that calls the API with a token."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from copilot import api_tokens
from tests import cast


class Caller:
    """A program with a token of somebody with a role."""

    def __init__(self, role: str = "responder", *, scopes: tuple[str, ...] = ("read", "respond", "manage")) -> None:
        self.user: User = cast.person(f"{role}-{User.objects.count()}", role)
        self.row, self.token = api_tokens.create(
            self.user, name="tests", scopes=scopes, lifetime_days=30, now=timezone.now()
        )
        self.client = Client()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send one request to /api/v1; header names with underscores."""
        given = {"Authorization": f"Bearer {self.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        more: Any = {} if body is None else {"data": body, "content_type": "application/json"}
        address = path if path.startswith("http") else f"/api/v1{path}"
        return (
            self.client.generic(method, address, headers=given)
            if body is None
            else getattr(self.client, method.lower())(address, headers=given, **more)
        )
