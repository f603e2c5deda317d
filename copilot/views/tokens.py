"""A person's API tokens; whoever manages people sees and ends everybody's."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot import api_tokens
from copilot.models import ApiToken
from copilot.views.access import may_see

SHOWN = 200


@may_see
@require_GET
def token_list(request: HttpRequest) -> HttpResponse:
    """Show the tokens and the form for a new one."""
    return _page(request)


@may_see
@never_cache
@require_POST
def token_create(request: HttpRequest) -> HttpResponse:
    """Make a token and show it, this once."""
    days = request.POST.get("days", "")
    try:
        _, token = api_tokens.create(
            request.user,  # type: ignore[arg-type]  # signed in
            name=request.POST.get("name", ""),
            scopes=request.POST.getlist("scopes"),
            lifetime_days=int(days) if days.isdecimal() and len(days) < 5 else 0,
            now=timezone.now(),
        )
    except api_tokens.TokenRefused as refused:
        return _page(request, problem=str(refused), status=400)
    return _page(request, token=token)


@may_see
@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End a token at once."""
    everybody = request.user.has_perm("copilot.manage_people")
    done = api_tokens.revoke(pk, of=None if everybody else request.user, now=timezone.now())  # type: ignore[arg-type]
    if done:
        messages.success(request, "The token does not work any more.")
    else:
        messages.error(request, "There is no such token that still works.")
    return redirect("tokens")


def _page(request: HttpRequest, *, problem: str = "", token: str = "", status: int = 200) -> HttpResponse:
    shown = ApiToken.objects.select_related("user").order_by("revoked_at", "-created_at")
    everybody = request.user.has_perm("copilot.manage_people")
    if not everybody:
        shown = shown.filter(user=request.user.pk)
    context = {
        "tokens": shown[:SHOWN],
        "everybody": everybody,
        "scopes": api_tokens.SCOPES,
        "lifetimes": api_tokens.LIFETIMES_DAYS,
        "problem": problem,
        "token": token,
        "now": timezone.now(),
    }
    return render(request, "copilot/tokens.html", context, status=status)
