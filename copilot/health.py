"""What works right now, for a load balancer and for people: /health/live and /health/ready."""

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import httpx
import redis
from celery.exceptions import CeleryError
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

from copilot.celery import app
from copilot.embedded import model_file, running
from copilot.llm import providers, standing
from incidents.models import OutboxMessage
from runbooks import upkeep
from runbooks.index import CollectionBroken, IndexUnavailable

OK, DEGRADED, DOWN = "ok", "degraded", "down"
CHECK_SECONDS = 1.0
KEPT_SECONDS = 2.0  # a report is this old at most: asking often costs nothing
LEAST_FREE_BYTES = 1_000_000_000
OUTBOX_PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True)
class ComponentHealth:
    """One component: `status` is ok, degraded or down; `seconds` is how long it took to find out."""

    status: str
    detail: str
    seconds: float = 0.0


class Report:
    """The last report and when it was made; one thread asks at a time, the others wait for its answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made = float("-inf")
        self._components: dict[str, ComponentHealth] = {}

    def components(self) -> dict[str, ComponentHealth]:
        with self._lock:
            if time.monotonic() - self._made > KEPT_SECONDS:
                self._components = check_all()
                self._made = time.monotonic()
            return self._components


_REPORT = Report()


def report() -> dict[str, ComponentHealth]:
    """Return every component's state, at most two seconds old."""
    return _REPORT.components()


@require_safe
@login_not_required
def live(_request: HttpRequest) -> JsonResponse:
    """Answer that this process answers."""
    return JsonResponse({"status": OK, "components": {}})


@require_safe
@login_not_required
def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when pages and intake work, 503 when not; every component's state either way.

    Only the database is needed to serve: without the others something is missing, and the page says what.
    """
    components = report()
    overall = OK if all(each.status == OK for each in components.values()) else DEGRADED
    if components["database"].status == DOWN:
        overall = DOWN
    listed = {
        name: {"status": each.status, "detail": each.detail, "seconds": each.seconds}
        for name, each in components.items()
    }
    return JsonResponse({"status": overall, "components": listed}, status=503 if overall == DOWN else 200)


def check_all() -> dict[str, ComponentHealth]:
    """Ask every component, those that need the network side by side; returns within about two seconds."""
    elsewhere = {"queue": _queue, "model": _model, "workers": _workers}
    with ThreadPoolExecutor(max_workers=len(elsewhere), thread_name_prefix="health") as pool:
        asked = {name: pool.submit(_timed, check) for name, check in elsewhere.items()}
        found = {"database": _timed(_database)}
        for name, check in (
            ("outbox", _outbox),
            ("vector-index", _vector_index),
            ("models", _models),
        ):  # what compares with the database
            found[name] = (
                _timed(check) if found["database"].status == OK else ComponentHealth(DOWN, "the database is down")
            )
        found |= {name: answer.result() for name, answer in asked.items()}
    found["disk"] = _timed(_disk)
    found["processes"] = _timed(_processes)
    return found


def _timed(check: Callable[[], tuple[str, str]]) -> ComponentHealth:
    began = time.monotonic()
    status, detail = check()
    return ComponentHealth(status=status, detail=detail, seconds=round(time.monotonic() - began, 3))


def _database() -> tuple[str, str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version')")
            (version,) = cursor.fetchone()
    except DatabaseError:  # its text may name hosts and users, and anybody may read this page
        return DOWN, "PostgreSQL does not answer: check DATABASE_URL and the server"
    return OK, f"PostgreSQL {version.split()[0]}"


def _outbox() -> tuple[str, str]:
    waiting_messages = OutboxMessage.objects.filter(published_at=None, due_at=None)
    oldest = waiting_messages.order_by("pk").values_list("created_at", flat=True).first()
    waiting = timezone.now() - oldest if oldest else timedelta(0)
    if waiting > OUTBOX_PATIENCE:
        return (
            DEGRADED,
            f"a task waits for {waiting.total_seconds():.0f} s: is the relay running, and the queue reachable?",
        )
    return OK, "tasks are published as they come"


def _queue() -> tuple[str, str]:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=CHECK_SECONDS, socket_connect_timeout=CHECK_SECONDS
    )
    try:
        client.ping()
    except redis.RedisError:
        return DOWN, "Valkey/Redis does not answer: intake goes on, work waits in the database, pages poll"
    finally:
        client.close()
    return OK, "answers"


def _vector_index() -> tuple[str, str]:
    try:
        incomplete = upkeep.why_incomplete(seconds=CHECK_SECONDS)
    except CollectionBroken:
        return DOWN, "answers, but cannot read its data: runbooks are searched by words alone until it is rebuilt"
    except IndexUnavailable as error:
        cause = type(error.__cause__ or error).__name__  # not its text, which may name hosts
        return DOWN, f"does not answer ({cause}): runbooks are searched by words alone"
    return (DEGRADED, incomplete) if incomplete else (OK, "has every approved passage")


def _model() -> tuple[str, str]:
    chosen = providers.all_choices()
    if not chosen:
        return OK, "none chosen: answers are the evidence brief"
    if not any(choice.provider == "local" for choice in chosen):
        return OK, "a managed model; it is asked when there is a question"
    try:
        answer = httpx.get(
            f"{settings.LOCAL_LLM_URL.removesuffix('/v1')}/health", timeout=CHECK_SECONDS, trust_env=False
        )
    except httpx.HTTPError:
        if fetching := model_file.progress(settings.LOCAL_LLM_FILE):
            return DEGRADED, fetching
        return DEGRADED, "the local model is not running (see var/log/model-server.log): the evidence brief works"
    return (OK, "loaded") if answer.status_code == 200 else (DEGRADED, "the local model is loading")


def _models() -> tuple[str, str]:
    """Say what the models can do, and which of them rest after failures."""
    known = standing.standings(now=timezone.now())
    resting = [f"{each.name} is asked again at {each.rests_until:%H:%M:%S} UTC" for each in known if each.rests_until]
    if resting:
        return DEGRADED, "; ".join(resting)
    return OK, "; ".join(f"{each.name}: {each.summary}" for each in known) or "none chosen"


def _workers() -> tuple[str, str]:
    try:
        replies = app.control.ping(timeout=CHECK_SECONDS)
    except (OperationalError, CeleryError, redis.RedisError):
        return DOWN, "the queue is down"
    names = sorted(name for reply in replies or [] for name in reply)
    return (OK, ", ".join(names)) if names else (DOWN, "no worker answers: incidents are stored, but not explained")


def _disk() -> tuple[str, str]:
    free = shutil.disk_usage(settings.BASE_DIR if not settings.VAR_DIR.exists() else settings.VAR_DIR).free
    detail = f"{free / 1e9:.1f} GB free"
    return (OK, detail) if free >= LEAST_FREE_BYTES else (DEGRADED, f"{detail}: telemetry is refused when it is full")


def _processes() -> tuple[str, str]:
    state = running.read_state(settings.VAR_DIR)
    if state is None:
        return OK, "not run by `manage.py up`"
    missing = [
        f"{each.name} is {each.state}" for each in state.components if each.state not in {"running", "done", "managed"}
    ]
    return (DEGRADED, "; ".join(missing)) if missing else (OK, f"{len(state.components)} run")
