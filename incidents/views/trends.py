"""Trends for managers: times, what comes back, noise, load on people, the incidents behind each number, a month's report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from incidents.models import Incident
from incidents.models.incident import IncidentQuerySet
from incidents.trends import behind as behind_numbers
from incidents.trends import noise as noise_trends
from incidents.trends import people as people_trends
from incidents.trends import population as populations
from incidents.trends import recurrence as recurrence_trends
from incidents.trends import report as monthly
from incidents.trends import times
from incidents.trends.population import Population
from incidents.trends.recent import Recent, minute, rows_of
from incidents.trends.wording import SHORT_NAMES, count_in_words
from incidents.views.trends_charts import course_chart, distribution_chart, survival_chart
from incidents.views.trends_choice import Asked, asked, options
from incidents.views.trends_narrowing import in_words, narrowed
from incidents.views.trends_rows import ORDER, figures, group_rows, groups, outcomes, times_of, week, zone_of

TABS = (
    ("trends", "Times"),
    ("trends-recurring", "What comes back"),
    ("trends-noise", "Noise"),
    ("trends-people", "Load on people"),
    ("trends-calibration", "Calibration"),
)

may_see_trends = permission_required("incidents.view_trends", raise_exception=True)


@may_see_trends
@require_GET
@never_cache
def trends(request: HttpRequest) -> HttpResponse:
    """Show how long incidents take, whether that changed, and where."""
    now, wanted, visible = opening(request)
    population = populations.read(visible, wanted.choice, now=now)
    context = frame(wanted, population, tab="trends", now=now)
    if len(population):
        key = rows_of(visible), wanted.choice, *sorted(wanted.values.items())
        context |= _times.get(key, lambda: _times_of(wanted, population, visible, now=now), now=now)
    return render(request, "incidents/trends.html", context)


@may_see_trends
@require_GET
@never_cache
def recurring(request: HttpRequest) -> HttpResponse:
    """Show what came back within thirty days."""
    now, wanted, visible = opening(request)
    found = recurrence_trends.recurrences(visible, wanted.choice, now=now)
    rows = [
        (again, reverse("trends-incidents") + wanted.query(ids=",".join(map(str, again.ids[:100]))))
        for again in found.top
    ]
    context = {**frame(wanted, None, tab="trends-recurring", now=now), "found": found, "rows": rows}
    return render(request, "incidents/trends_recurring.html", context)


@may_see_trends
@require_GET
@never_cache
def noise(request: HttpRequest) -> HttpResponse:
    """Show how many alerts there were for each incident, what was held back, and which names flap."""
    now, wanted, _ = opening(request)
    found = noise_trends.noise(wanted.choice, now=now)
    context = {**frame(wanted, None, tab="trends-noise", now=now), "noise": found, "quiet": outcomes(found)}
    return render(request, "incidents/trends_noise.html", context)


@may_see_trends
@require_GET
@never_cache
def people(request: HttpRequest) -> HttpResponse:
    """Show the hours that people spent on incidents, and how many of them out of their team's hours."""
    now, wanted, visible = opening(request)
    load = people_trends.load(visible, wanted.choice, now=now)
    longest = max((person.hours for person in load.people), default=0.0) or 1.0
    rows = [
        (person, f"{100 * person.hours / longest:.1f}%", f"{100 * person.out_of_hours / longest:.1f}%")
        for person in load.people
    ]
    context = {**frame(wanted, None, tab="trends-people", now=now), "load": load, "rows": rows}
    return render(request, "incidents/trends_people.html", context)


@may_see_trends
@require_GET
@never_cache
def incidents_behind(request: HttpRequest) -> HttpResponse:
    """Show the incidents behind a number, the longest first."""
    now, wanted, visible = opening(request)
    narrowing = narrowed(request.GET, wanted)
    population = populations.read(visible, wanted.choice, now=now)
    found, n = behind_numbers.behind(visible, population, narrowing, zone=zone_of(wanted))
    rows = [(timed, times_of(timed)) for timed in found]
    context = frame(wanted, population, tab="trends", now=now)
    context |= {"rows": rows, "n": n, "narrowing": in_words(narrowing), "names": [SHORT_NAMES[m] for m in ORDER]}
    # What narrows further stands in the address too, so that the export gives the same incidents.
    context["export_query"] = f"?{request.GET.urlencode()}"
    return render(request, "incidents/trends_incidents.html", context)


@may_see_trends
@require_GET
@never_cache
def report(request: HttpRequest) -> HttpResponse:
    """Show a month for printing. ?month=2026-10; without one the month that ended last."""
    now, wanted, visible = opening(request)
    first = _month(request.GET.get("month", ""), now=now)
    last, before = _months_on(first, 1), _months_on(first, -1)
    choice = replace(wanted.choice, start=first, end=min(last, max(now, first)))
    found = monthly.report(visible, choice, replace(choice, start=before, end=first), now=now)
    in_month = replace(wanted, values={**wanted.values, "from": f"{first:%Y-%m-%d}", "to": f"{choice.end:%Y-%m-%d}"})
    context = {
        "report": found,
        "asked": in_month,
        "first": first,
        "is_running": last > now,
        "earlier": wanted.query(month=f"{before:%Y-%m}"),
        "later": wanted.query(month=f"{last:%Y-%m}") if last <= now else "",
        "figures": figures(found.figures),
        "services": group_rows(in_month, found.services, "service"),
        "causes": group_rows(in_month, found.causes, "cause"),
        "quiet": outcomes(found.noise),
        "now": now,
    }
    return render(request, "incidents/trends_report.html", context)


_times: Recent[dict[str, Any]] = Recent(most=64)


def _times_of(wanted: Asked, population: Population, visible: IncidentQuerySet, *, now: datetime) -> dict[str, Any]:
    before = populations.read(visible, wanted.choice.before(), now=now)
    durations = population.durations(wanted.measure)
    return {
        "figures": figures(times.figures(population, before)),
        "charts": (
            course_chart(wanted, times.course(population, wanted.measure)),
            survival_chart(wanted, durations, before.durations(wanted.measure)),
            distribution_chart(wanted, durations),
        ),
        "all_href": reverse("trends-incidents") + wanted.query(),
        "groups": groups(wanted, population),
        "week": week(wanted, population),
    }


def opening(request: HttpRequest) -> tuple[datetime, Asked, IncidentQuerySet]:
    """Return what every page begins with: its now, what was asked for, and what the person may see."""
    now = minute(timezone.now())
    return now, asked(request.GET, now=now), Incident.objects.visible_to(request.user)


def _month(text: str, *, now: datetime) -> datetime:
    """Return the first moment (UTC) of the month that is named, or of the last one that has ended."""
    try:
        found = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        found = None
    if found is None or found.year < 2000 or found > now:
        return _months_on(now, -1)
    return found


def _months_on(moment: datetime, months: int) -> datetime:
    """Return the first moment of the month so many months later."""
    number = moment.year * 12 + moment.month - 1 + months
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def frame(wanted: Asked, population: Population | None, *, tab: str, now: datetime) -> dict[str, Any]:
    """Return what every page of the trends shows around its numbers."""
    return {
        "asked": wanted,
        "options": options(wanted),
        "tabs": [(label, reverse(name) + wanted.query(), name == tab) for name, label in TABS],
        "tab": tab,
        "population": population,
        "n": len(population) if population is not None else None,
        "said": _said(population) if population is not None else "",
        "with_demo_query": wanted.query(demo="1"),
        "without_demo_query": wanted.query(demo=""),
        "clear_query": wanted.query(service="", team="", severity="", cause=""),
        "now": now,
    }


def _said(population: Population) -> str:
    """Say which incidents the numbers are about, and which not."""
    left, going_on = population.left_out, int(population.is_open().sum())
    said = [count_in_words(len(population), "incident")]
    if going_on:
        said.append(f"{going_on} still going on")
    if left.merged:
        said.append(f"{left.merged} merged left out")
    if left.false_alarms:
        said.append(f"{count_in_words(left.false_alarms, 'false alarm')} left out")
    if left.replays:
        said.append(f"{count_in_words(left.replays, 'replay')} left out")
    if left.has_more:
        said.append(f"only the newest {populations.MOST:,} read")
    return ", ".join(said)
