"""What was held back because it usually resolves itself: what that spared, and what it cost."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from incidents.models import AlertSource, NeverHold
from incidents.noise import history, survival
from incidents.views.alert_reading import visible

may_view = permission_required("incidents.view_incident", raise_exception=True)
may_silence = permission_required("incidents.silence_alerts", raise_exception=True)


@may_view
@require_GET
def hold_page(request: HttpRequest) -> HttpResponse:
    """Every name with what was learned of it, and the last holds with what came of them."""
    now = timezone.now()
    context = {
        "section": "alerts",
        "effect": history.effect(now=now),
        "learned": history.learned(now=now),
        "holds": history.recent(visible(request.user)),
        "least_episodes": survival.LEAST_EPISODES,
        "least_percent": survival.LEAST_SHARE * 100,
    }
    return render(request, "incidents/alerts_held.html", context)


@may_silence
@require_POST
def hold_never(request: HttpRequest) -> HttpResponse:
    """Forbid holding alerts of one name, or allow it again."""
    number = request.POST.get("source", "")
    source = get_object_or_404(AlertSource, pk=int(number) if number.isdecimal() and len(number) < 18 else 0)
    name = request.POST.get("name", "")[:200]
    if request.POST.get("what") == "allow":
        NeverHold.objects.filter(source=source, name=name).delete()
        messages.success(request, f"{name} may be held back again.")
    else:
        NeverHold.objects.get_or_create(
            source=source, name=name, defaults={"created_by_id": request.user.pk, "created_at": timezone.now()}
        )
        messages.success(request, f"{name} is never held back any more.")
    return redirect("alert-holds")
