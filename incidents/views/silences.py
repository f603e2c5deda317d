"""Silences: maintenance windows and snoozes, with a preview of what each would keep quiet."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from incidents.intake import matching
from incidents.models import Silence
from incidents.noise import silences
from incidents.views.alert_reading import visible

may_view = permission_required("incidents.view_incident", raise_exception=True)
may_silence = permission_required("incidents.silence_alerts", raise_exception=True)
SHOWN_PAST = 20
LENGTHS = (
    (30, "30 minutes"),
    (60, "1 hour"),
    (120, "2 hours"),
    (240, "4 hours"),
    (480, "8 hours"),
    (1440, "1 day"),
    (10080, "7 days"),
)


class SilenceForm(forms.Form):
    """What a person asks for."""

    kind = forms.ChoiceField(choices=Silence.Kind.choices)
    reason = forms.CharField(max_length=silences.REASON_LENGTH)
    matchers = forms.CharField(max_length=4_000)
    starts_at = forms.DateTimeField(required=False)
    minutes = forms.TypedChoiceField(coerce=int, choices=[*LENGTHS])

    def clean_matchers(self) -> dict[str, str]:
        """Read the lines."""
        try:
            return matching.parse(self.cleaned_data["matchers"])
        except matching.BadMatcher as error:
            raise forms.ValidationError(str(error)) from error

    def wanted(self, *, now: datetime) -> silences.Wanted:
        """Return the silence that is asked for."""
        given = self.cleaned_data
        begins: datetime = given["starts_at"] or now
        begins = begins if begins.tzinfo else begins.replace(tzinfo=UTC)
        return silences.Wanted(
            kind=given["kind"],
            reason=given["reason"],
            matchers=given["matchers"],
            starts_at=begins,
            ends_at=begins + timedelta(minutes=given["minutes"]),
        )


@may_view
@require_GET
def silence_list(request: HttpRequest) -> HttpResponse:
    """The silences in force, to come and past, and the form for a new one."""
    initial = {"kind": Silence.Kind.SNOOZE, "minutes": 60, "matchers": request.GET.get("matchers", "")[:4_000]}
    return _list(request, SilenceForm(initial=initial))


@may_silence
@require_POST
def silence_preview(request: HttpRequest) -> HttpResponse:
    """Show what the matchers in the form match now and would have matched in the last seven days."""
    try:
        matchers = matching.parse(request.POST.get("matchers", "")[:4_000])
    except matching.BadMatcher as error:
        return render(request, "incidents/silence_preview.html", {"problem": str(error)})
    return render(request, "incidents/silence_preview.html", _previewed(request, matchers))


@may_silence
@require_POST
def silence_add(request: HttpRequest) -> HttpResponse:
    """Set a silence."""
    form = SilenceForm(request.POST)
    if form.is_valid():
        now = timezone.now()
        try:
            made = silences.set_silence(form.wanted(now=now), by=_person(request), now=now)
        except silences.BadSilence as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request,
                f"Set until {made.ends_at:%Y-%m-%d %H:%M} UTC. Alerts that match are recorded and open nothing.",
            )
            return redirect("silence-list")
    return _list(request, form)


@may_silence
@require_POST
def silence_end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a silence now."""
    silences.end(get_object_or_404(Silence, pk=pk), now=timezone.now())
    messages.success(request, "Ended. Alerts that still fire are looked at again within seconds.")
    return redirect("silence-list")


def _list(request: HttpRequest, form: SilenceForm) -> HttpResponse:
    now = timezone.now()
    everything = Silence.objects.select_related("created_by")
    in_force = {silence.pk for silence in silences.in_force(now=now)}
    to_come = everything.filter(starts_at__gt=now, ended_early_at=None).order_by("starts_at")
    over = everything.exclude(pk__in=in_force).filter(starts_at__lte=now)
    context: dict[str, Any] = {
        "section": "alerts",
        "in_force": _rows(everything.filter(pk__in=in_force).order_by("ends_at")),
        "to_come": _rows(to_come),
        "over": _rows(over[:SHOWN_PAST]),
        "form": form,
        "kinds": Silence.Kind.choices,
        "lengths": LENGTHS,
    }
    text = str(form["matchers"].value() or "")
    if text and not form.errors:
        try:
            context |= _previewed(request, matching.parse(text))
        except matching.BadMatcher as error:
            context["problem"] = str(error)
    return render(request, "incidents/silences.html", context, status=400 if form.errors else 200)


def _previewed(request: HttpRequest, matchers: dict[str, str]) -> dict[str, Any]:
    if not matchers:
        return {}
    found = silences.preview(matchers, now=timezone.now())
    may_see = set(visible(request.user).filter(pk__in=[one.pk for one in found.firing]).values_list("pk", flat=True))
    return {"preview": found, "firing": [one for one in found.firing if one.pk in may_see]}


def _rows(found: QuerySet[Silence]) -> list[dict[str, Any]]:
    return [{"silence": one, "words": matching.in_words(one.matchers)} for one in found]


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - the permission check has let nobody else through
    return request.user
