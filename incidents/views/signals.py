"""Watched series: which there are, what each is usually like, its departures and why, where it drifts, and what people say of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite

import numpy as np
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from incidents import baselines
from incidents.detection import forecast, picture
from incidents.detection.clearing import Past, clears_within
from incidents.detection.impact import number, plain_name
from incidents.detection.learned import Maturity
from incidents.detection.signals import SignalKind, is_share, meaning
from incidents.models import Anomaly, Incident, Signal, SignalVerdict
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.store import HotStore

may_see = permission_required("incidents.view_incident", raise_exception=True)
may_say = permission_required("incidents.respond_to_incident", raise_exception=True)

MOST_LISTED, MOST_EPISODES = 200, 50
BACK = timedelta(hours=6)
ASKED = timedelta(minutes=10)  # "will it be over by itself within…"
KNOWLEDGE = {
    Maturity.NEW: "New: not judged before 30 minutes are known",
    Maturity.USABLE: "Usable: less than a day is known",
    Maturity.BETTER: "Better: more than a day is known, less than two weeks",
    Maturity.FULL: "Full: two weeks or more are known",
}


@dataclass(frozen=True, slots=True)
class Departure:
    """One episode as the page shows it."""

    began_at: datetime
    minutes: int
    lasts: bool
    why: str
    score: float
    incident_id: int
    reference: str


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
    departures = _departures(signal, Incident.objects.visible_to(request.user), now=now)
    context = {
        "signal": signal,
        "title": plain_name(signal.name),
        "knowledge": KNOWLEDGE[signal.maturity],
        "departures": departures,
        "clearing": _clearing(departures),
        "verdicts": signal.verdicts.select_related("said_by")[:20],
        "tab": "signals",
    }
    try:
        seen = baselines.watched(HotStore(settings.DATABASE_URL), signal, now=now, back=BACK)
    except TelemetryError as error:
        context["gap"] = str(error)
    else:
        context |= _drawn(signal, seen, departures, asked=request.GET.get("limit", ""))
    return render(request, "incidents/signal.html", context)


def _drawn(
    signal: Signal, seen: baselines.Watched, departures: Sequence[Departure], *, asked: str
) -> dict[str, object]:
    begins = np.array([one.began_at.timestamp() for one in departures])
    inside = begins[(begins >= seen.times[0]) & (begins <= seen.times[-1])]
    marks = picture.marks(
        times=seen.times,
        values=seen.values,
        expected=seen.expected,
        spread=seen.spread,
        alarms=np.searchsorted(seen.times, inside),
    )
    # Numbers and times only, made by us: nothing in it came from outside as text.
    return {"marks": mark_safe(marks), "now_is": _now_is(signal, seen)} | _forecast(signal, seen, asked)  # noqa: S308


def _now_is(signal: Signal, seen: baselines.Watched) -> str:
    """Say where the newest minute lies, and how surprising that is."""
    known = np.flatnonzero(np.isfinite(seen.values))
    if not len(known):
        return "No sample in the last six hours."
    last = known[-1]
    text = f"Newest minute: {number(float(seen.values[last]))}."
    if np.isfinite(seen.expected[last]):
        wide = 3.0 * seen.spread[last]
        text += f" Usual at this hour: {number(float(seen.expected[last] - wide))} to {number(float(seen.expected[last] + wide))}."
    else:
        text += " What is usual at this hour is not known yet."
    if signal.score is not None:
        text += f" Score {signal.score:.2f}: of departures this extreme, chance alone accounts for {1.0 - signal.score:.0%}."
    return text


def _forecast(signal: Signal, seen: baselines.Watched, asked: str) -> dict[str, object]:
    limit = _limit(signal, asked)
    if limit is None:
        return {"limit": ""}
    said = forecast.forecast(seen.times, seen.values, limit=limit)
    if said is None:
        text = f"In the last six hours it does not drift to {number(limit)}."
    else:
        latest = "or never" if said.latest_seconds is None else f"at the latest in {_span(said.latest_seconds)}"
        text = (
            f"Reaches {number(limit)} in {_span(said.likely_seconds)} by its trend;"
            f" at the earliest in {_span(said.earliest_seconds)}, {latest}."
        )
    return {"limit": f"{limit:g}", "forecast": text}


def _limit(signal: Signal, asked: str) -> float | None:
    """Return what the forecast is about: what the reader asks for, else the whole of a share that is used up."""
    try:
        limit = float(asked)
    except ValueError:
        limit = float("nan")
    if isfinite(limit):
        return limit
    read_as = meaning(signal.name, signal.unit)
    if read_as and read_as.kind is SignalKind.RESOURCE and is_share(signal.key):
        return 1.0 / read_as.factor
    return None


def _span(seconds: float) -> str:
    return f"{seconds / 3600.0:.1f} h" if seconds >= 3600.0 else f"{max(seconds / 60.0, 1.0):.0f} min"


def _departures(signal: Signal, incidents: QuerySet[Incident], *, now: datetime) -> list[Departure]:
    rows = (
        Anomaly.objects.filter(
            incident__in=incidents,
            incident__source=baselines.LIVE,
            service=signal.service,
            name=signal.name,
            attributes=signal.attributes,
        )
        .select_related("incident")
        .order_by("-started_at")[:MOST_EPISODES]
    )
    return [
        Departure(
            began_at=row.started_at,
            minutes=max(round(((row.ended_at or now) - row.started_at).total_seconds() / 60.0), 1),
            lasts=row.ended_at is None,
            why=f"{row.direction} to {number(row.peak)}, in the hour before {number(row.usual_low)} to {number(row.usual_high)}: {row.score:.0f} usual spreads away",
            score=row.score,
            incident_id=row.incident_id,
            reference=row.incident.reference,
        )
        for row in rows
    ]


def _clearing(departures: Sequence[Departure]) -> str:
    """Say how probably the departure that lasts is soon over, "" while there is none."""
    lasting = next((one for one in departures if one.lasts), None)
    if lasting is None:
        return ""
    past = [Past(timedelta(minutes=one.minutes), not one.lasts) for one in departures if one is not lasting]
    said = clears_within(ASKED, lasted=timedelta(minutes=lasting.minutes), past=past)
    known = f"{said.known} earlier ones that lasted as long" if said.known else "how departures last in general"
    return f"Over by itself within ten minutes: {said.share:.0%} (95 % interval {said.low:.0%} to {said.high:.0%}), by {known}."


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
    messages.success(request, "Taken in: it holds from the next look on.")
    return redirect("signal-page", pk=pk)
