"""The models that answer: which, whether they answer now, and how they have done."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from copilot.llm import chat_model, record, standing
from copilot.views.access import may_see

PERIODS = {"7": "7 days", "30": "30 days", "90": "90 days"}
WEEKS = timedelta(weeks=12)


@may_see
@require_GET
@never_cache
def model_page(request: HttpRequest) -> HttpResponse:
    """Show the configured model and each model's record."""
    now = timezone.now()
    days = request.GET.get("days", "30")
    days = days if days in PERIODS else "30"
    context = {
        "status": chat_model.status(),
        "standings": standing.standings(now=now),
        "limits": {
            "first": settings.LLM_FIRST_TOKEN_TIMEOUT,
            "idle": settings.LLM_IDLE_TIMEOUT,
            "total": settings.LLM_TOTAL_TIMEOUT,
        },
        "budget": chat_model.prompt_budget(),
        "use": record.use_since(now - timedelta(days=int(days))),
        "weeks": record.weeks_since(now - WEEKS),
        "periods": PERIODS,
        "days": days,
    }
    return render(request, "copilot/models.html", context)
