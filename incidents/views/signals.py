"""Watched series: which there are, what each is usually like, its departures and why, where it drifts, and what people say of them."""

from collections.abc import Sequence
from datetime import timedelta
from math import isfinite
from urllib.parse import urlencode

import numpy as np
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from incidents import baselines
from incidents.detection import picture
from incidents.detection.impact import number, plain_name
from incidents.detection.learned import BAND_SPREADS
from incidents.models import Incident, Signal, SignalVerdict
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import SeriesKey
from incidents.telemetry.store import HotStore
from incidents.views.signal_forecast import forecast_of
from incidents.views.signal_reading import Shown, departures_of, learned_of, next_stage, stages_of

may_see = permission_required("incidents.view_incident", raise_exception=True)
may_say = permission_required("incidents.respond_to_incident", raise_exception=True)

MOST_LISTED = 200
_TAKEN = {
    SignalVerdict.Verdict.EXPECTED: "departures like this one open nothing",
    SignalVerdict.Verdict.NOT_INTERESTING: "its departures open nothing",
    SignalVerdict.Verdict.INTERESTING: "its departures may open incidents again",
}
BACK = timedelta(hours=6)
LEAST_DRAWN = 30  # minutes


@may_see
@require_GET
@never_cache
def signal_list(request: HttpRequest) -> HttpResponse:
    """Show the watched series, the most surprising first."""
    wanted = request.GET.get("q", "").strip()[:200]
    found = Signal.objects.defer("state").order_by(F("score").desc(nulls_last=True), "service", "name")
    if wanted:
        found = found.filter(Q(service__icontains=wanted) | Q(name__icontains=wanted))
    context = {
        "signals": found[:MOST_LISTED],
        "count": found.count(),
        "q": wanted,
        "most": MOST_LISTED,
        "tab": "signals",
    }
    return render(request, "incidents/signals.html", context)


@may_see
@require_GET
@never_cache
def signal_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one series: its newest hours on what is usual, its departures, its forecast, and what people said."""
    signal = get_object_or_404(Signal, pk=pk)
    now = timezone.now()
    shown = departures_of(signal, Incident.objects.visible_to(request.user), now=now)
    context = {
        "signal": signal,
        "title": plain_name(signal.name),
        "stages": stages_of(signal),
        "next_stage": next_stage(signal),
        "departures": shown,
        "lasting": next((one for one in shown if one.lasts), None),
        "learned": learned_of(signal, shown),
        "verdicts": signal.verdicts.select_related("said_by")[:20],
        "tab": "signals",
    }
    try:
        seen = baselines.watched(HotStore(settings.DATABASE_URL), signal, now=now, back=BACK)
    except TelemetryError as error:
        context["gap"] = str(error)
    else:
        asked = {name: request.GET.get(name, "") for name in ("limit", "objective")}
        context |= {
            "marks": _drawn(seen, shown),
            "now_is": _now_is(signal, seen),
            "forecast": forecast_of(signal, seen, **asked),
        }
    return render(request, "incidents/signal.html", context)


@may_see
@require_GET
@never_cache
def signal_of(request: HttpRequest) -> HttpResponse:
    """Go to the page of the live series that the address names; to the list where it is not watched."""
    key = SeriesKey(*(request.GET.get(name, "")[:1000] for name in SeriesKey._fields))
    signal = Signal.objects.filter(source=baselines.LIVE, digest=baselines.digest_of(key)).only("pk").first()
    if signal is not None:
        return redirect("signal-page", pk=signal.pk)
    messages.info(request, f"{key.name} of {key.service} is not among the series watched now.")
    return redirect(f"{reverse('signal-list')}?{urlencode({'q': key.name[:200]})}")


def _drawn(seen: baselines.Watched, shown: Sequence[Shown]) -> str:
    known = np.flatnonzero(np.isfinite(seen.values))
    # A series that is young fills the picture too.
    first = min(known[0] if len(known) else 0, max(len(seen.times) - LEAST_DRAWN, 0))
    marks = picture.marks(
        times=seen.times[first:],
        values=seen.values[first:],
        expected=seen.expected[first:],
        spread=seen.spread[first:],
        alarms=np.array([], dtype=np.intp),
        stretches=[
            (one.began_at.timestamp(), one.began_at.timestamp() + 60.0 * one.minutes)
            for one in shown
            if seen.times[first] <= one.began_at.timestamp() + 60.0 * one.minutes
        ],
    )
    # Numbers and times only, made by us: nothing in it came from outside as text.
    return mark_safe(marks)  # noqa: S308


def _now_is(signal: Signal, seen: baselines.Watched) -> str:
    """Say where the newest minute lies, and how surprising that is."""
    known = np.flatnonzero(np.isfinite(seen.values))
    if not len(known):
        return "No sample in the last six hours."
    last = known[-1]
    text = f"Newest minute: {number(float(seen.values[last]))}."
    if np.isfinite(seen.expected[last]):
        wide = BAND_SPREADS * seen.spread[last]
        low, high = number(float(seen.expected[last] - wide)), number(float(seen.expected[last] + wide))
        text += f" Usual {'at this hour' if seen.by_hour[last] else 'by the hour before'}: {low} to {high}."
        if not seen.by_hour[last]:
            text += " What is usual at this hour of the day is not known yet."
    if signal.score is not None:
        text += f" Score {signal.score:.2f}: of departures this extreme, chance alone accounts for {1.0 - signal.score:.0%}."
    return text


@may_say
@require_POST
def signal_verdict(request: HttpRequest, pk: int) -> HttpResponse:
    """Take in what somebody says of a departure, or of the series."""
    signal = get_object_or_404(Signal, pk=pk)
    verdict = request.POST.get("verdict", "")
    if verdict not in SignalVerdict.Verdict.values:
        messages.error(request, f"Choose one of {', '.join(SignalVerdict.Verdict.values)}.")
        return redirect("signal-page", pk=pk)
    score = request.POST.get("score", "")
    try:
        said = float(score) if score else None
    except ValueError:
        said = None
    if said is not None and not (isfinite(said) and said >= 0.0):
        said = None
    baselines.say(signal.pk, verdict=verdict, score=said, by=request.user.pk, now=timezone.now())
    messages.success(
        request, f"Taken in, and it holds from the next look on: {_TAKEN[SignalVerdict.Verdict(verdict)]}."
    )
    return redirect("signal-page", pk=pk)
