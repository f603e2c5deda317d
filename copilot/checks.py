"""System checks: what is wrong with this machine or its settings, each with a hint. `manage.py check` runs them, `up` too."""

import platform
import shutil
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's own name for it

from copilot.embedded import addresses, running, site

TAG = "machine"
LEAST_FREE_BYTES = 1_000_000_000
CONNECT_SECONDS = 3
OLDEST_PYTHON, FIRST_UNTRIED_PYTHON = (3, 11), (3, 14)


@register(TAG)
def check_python(**_: Any) -> list[CheckMessage]:
    """The interpreter is one that every dependency supports."""
    if OLDEST_PYTHON <= sys.version_info[:2] < FIRST_UNTRIED_PYTHON:
        return []
    hint = "Run `make setup` with Python 3.11, 3.12 or 3.13, for example `make setup PYTHON=python3.11`."
    return [Error(f"Python {platform.python_version()} is not supported.", hint=hint, id="copilot.E001")]


@register(TAG)
def check_disk(**_: Any) -> list[CheckMessage]:
    """There is room for telemetry."""
    folder = settings.VAR_DIR if settings.VAR_DIR.exists() else settings.BASE_DIR
    free = shutil.disk_usage(folder).free
    if free >= LEAST_FREE_BYTES:
        return []
    hint = "Make room, lower COPILOT_RETENTION_HOURS, or set COPILOT_VAR to a folder on another disk."
    return [Warning(f"{folder} has only {free / 1e6:.0f} MB free.", hint=hint, id="copilot.W001")]


@register(TAG)
def check_port(**_: Any) -> list[CheckMessage]:
    """The site's port is free, or our own site has it."""
    if running.owner(settings.VAR_DIR) or site.port_is_free(settings.WEB_HOST, settings.WEB_PORT):
        return []
    hint = (
        f"Stop the other program, or take another port: `manage.py up --port {settings.WEB_PORT + 1}` or COPILOT_PORT."
    )
    return [Warning(f"Port {settings.WEB_PORT} on {settings.WEB_HOST} is in use.", hint=hint, id="copilot.W002")]


@register(TAG)
def check_managed_services(**_: Any) -> list[CheckMessage]:
    """What runs elsewhere answers. Our own services are not asked: they may not have been started yet."""
    found: list[CheckMessage] = []
    if addresses.database_url(settings.VAR_DIR) != settings.DATABASE_URL and (why := _failure(_ask_database)):
        hint = "Start it, or correct DATABASE_URL (postgresql://USER:PASSWORD@HOST:PORT/DATABASE)."
        found.append(
            Error(f"PostgreSQL at {_place(settings.DATABASE_URL)} does not answer: {why}", hint=hint, id="copilot.E002")
        )
    if addresses.redis_url(settings.VAR_DIR) != settings.REDIS_URL and (why := _failure(_ask_queue)):
        hint = "Start it, or correct REDIS_URL (redis://HOST:PORT/0). Until then work waits in the database."
        found.append(
            Warning(f"Redis at {_place(settings.REDIS_URL)} does not answer: {why}", hint=hint, id="copilot.W003")
        )
    if addresses.chroma_url(settings.VAR_DIR) != settings.CHROMA_URL:
        if why := _failure(_ask_index):
            hint = (
                "Start it, or correct CHROMA_URL (http://HOST:PORT). Until then runbooks are searched by words alone."
            )
            found.append(
                Warning(f"Chroma at {_place(settings.CHROMA_URL)} does not answer: {why}", hint=hint, id="copilot.W004")
            )
        found += _exposed_index()
    return found


def _exposed_index() -> list[CheckMessage]:
    if urlsplit(settings.CHROMA_URL).hostname in {"127.0.0.1", "localhost", "::1"}:
        return []
    hint = (
        "Let nobody but this program reach it: Chroma up to 1.5.9 runs code for whoever can connect (CVE-2026-45829)."
    )
    return [Warning(f"Chroma at {_place(settings.CHROMA_URL)} is on another machine.", hint=hint, id="copilot.W005")]


def _failure(ask: Callable[[], None]) -> str:
    """Return in one line why a service does not answer, "" when it does."""
    try:
        ask()
    except (psycopg.OperationalError, redis.RedisError, httpx.HTTPError) as error:
        return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ""


def _ask_database() -> None:
    psycopg.connect(settings.DATABASE_URL, connect_timeout=CONNECT_SECONDS).close()


def _ask_queue() -> None:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS
    )
    try:
        client.ping()
    finally:
        client.close()


def _ask_index() -> None:
    httpx.get(f"{settings.CHROMA_URL}/api/v2/heartbeat", timeout=CONNECT_SECONDS, trust_env=False).raise_for_status()


def _place(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path
