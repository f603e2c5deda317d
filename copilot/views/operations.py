"""How the program itself is doing, and what it gave up on, to be tried again."""

import hmac
import ipaddress
from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from copilot import health, operations, retrying
from copilot.views.access import may_operate
from incidents.models import DeadLetter
from runbooks import upkeep
from runbooks.models import Revision

SHOWN = 100
DAY = timedelta(days=1)


@may_operate
@require_GET
@never_cache
def operations_page(request: HttpRequest) -> HttpResponse:
    """Show components, queues, dead letters and the drops of the last day."""
    now = timezone.now()
    context = {
        "components": health.report(),
        "backlogs": operations.backlogs(now=now),
        "letters": DeadLetter.objects.filter(retried_at=None)[:SHOWN],
        "retried": DeadLetter.objects.filter(retried_at__gt=now - DAY)[:SHOWN],
        "not_embedded": Revision.objects.filter(state=Revision.State.APPROVED, indexed_at=None)
        .filter(attempts__gte=upkeep.MAX_ATTEMPTS)
        .select_related("document")[:SHOWN],
        "dropped": operations.dropped(since=now - DAY),
    }
    return render(request, "copilot/operations.html", context)


@may_operate
@require_POST
def dead_letter_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a task that was given up on tried again."""
    try:
        letter = retrying.try_again(pk, now=timezone.now())
    except operations.NotThere as gone:
        messages.error(request, str(gone))
    else:
        messages.success(request, f"{letter.task} is tried again.")
    return redirect("operations")


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Give Prometheus its numbers: to this machine, or to whoever has COPILOT_METRICS_TOKEN."""
    if not _may_scrape(request):
        answer = HttpResponse(
            "Send the header `Authorization: Bearer …` with the value of COPILOT_METRICS_TOKEN.\n",
            status=401,
            content_type="text/plain; charset=utf-8",
        )
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    works = {name: each.status == health.OK for name, each in health.report().items()}
    return HttpResponse(operations.metrics(now=timezone.now(), components=works), content_type=CONTENT_TYPE_LATEST)


def _may_scrape(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())
    # A proxy on this machine would make everybody look local, but it says for whom it asks, and under which name.
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return not forwarded and _is_loopback(request.META.get("REMOTE_ADDR", "")) and _is_local(request.get_host())


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name == "localhost" or _is_loopback(name.strip("[]"))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
