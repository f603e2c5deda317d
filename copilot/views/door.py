"""Signing in and out, and what a person chose for themselves."""

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from copilot import events, signin

THEMES = ("system", "light", "dark")
YEAR = 365 * 24 * 3600
_BACKEND = "django.contrib.auth.backends.ModelBackend"


class LimitedSignIn(AuthenticationForm):
    """Name and password, with at most ten wrong passwords in 15 minutes for one account from one address."""

    def clean(self) -> dict[str, Any]:
        account, address, now = self.data.get("username", ""), address_of(self.request), timezone.now()
        if not signin.tries_left(account=account, address=address, now=now):
            raise ValidationError(
                "Too many wrong passwords. Wait 15 minutes, or use a one-time sign-in link.", code="limited"
            )
        try:
            cleaned = super().clean()
        except ValidationError:
            signin.record_failure(account=account, address=address, now=now)
            raise
        signin.forget_failures(account=account, address=address)
        return cleaned

    def get_invalid_login_error(self) -> ValidationError:
        now = timezone.now()
        left = signin.tries_left(account=self.data.get("username", ""), address=address_of(self.request), now=now) - 1
        tries = f" {left} {'try' if left == 1 else 'tries'} left." if left <= 5 else ""
        return ValidationError(f"Name and password do not match.{tries}", code="invalid_login")


class SignIn(LoginView):
    """The sign-in page."""

    template_name = "copilot/login.html"
    authentication_form = LimitedSignIn
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """Signing out; the person's open sockets close at once."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user_id = request.user.pk
        answer = super().post(request, *args, **kwargs)
        if user_id is not None:
            events.access_changed(user_id)
        return answer


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button on GET, so that a mail scanner or a preview cannot use the link up; sign in on POST."""
    now = timezone.now()
    if request.method == "POST":
        try:
            user = signin.redeem(token, now=now)
        except signin.LinkNotValid as error:
            return render(request, "copilot/sign_in_link.html", {"problem": str(error)}, status=410)
        login(request, user, backend=_BACKEND)
        return redirect(_next_page(request))
    if not signin.is_valid(token, now=now):
        problem = (
            "This link was used already or is older than 24 hours. Sign in with a password, or ask for a new link."
        )
        return render(request, "copilot/sign_in_link.html", {"problem": problem}, status=410)
    return render(request, "copilot/sign_in_link.html", {"problem": ""})


def _next_page(request: HttpRequest) -> str:
    """Return where the link leads after signing in: only ever to a page of this site."""
    wanted = request.GET.get("next", "")
    own = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wanted if own else reverse("incident-list")


@require_GET
def account(request: HttpRequest) -> HttpResponse:
    """Show the person's own choices."""
    chosen = request.COOKIES.get("theme", "system")
    return render(
        request,
        "copilot/account.html",
        {
            "theme": chosen if chosen in THEMES else "system",
            "themes": [(theme, theme.capitalize()) for theme in THEMES],
            "shortcuts": request.COOKIES.get("shortcuts", "on"),
        },
    )


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep the theme and the shortcuts switch in cookies of this browser."""
    answer = HttpResponseRedirect(reverse("account"))
    for name, allowed in (("theme", THEMES), ("shortcuts", ("on", "off"))):
        if (value := request.POST.get(name, "")) in allowed:
            answer.set_cookie(name, value, max_age=YEAR, samesite="Lax", httponly=True, secure=request.is_secure())
    return answer


def address_of(request: HttpRequest | None) -> str:
    """Return the peer's address, "" when there is none; uvicorn has put the forwarded one there if its proxy is trusted."""
    return str(request.META.get("REMOTE_ADDR", ""))[:45] if request else ""
