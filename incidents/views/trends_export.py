"""The trends' tables as CSV files that open in a spreadsheet without doing anything."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from math import isfinite

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from incidents.models import Incident
from incidents.models.incident import IncidentQuerySet
from incidents.mttr import Estimate, Measure
from incidents.trends import behind, noise, people, population, recurrence, times
from incidents.trends.recent import minute
from incidents.views.trends_choice import Asked, asked
from incidents.views.trends_narrowing import narrowed
from incidents.views.trends_rows import ORDER, zone_of

# A spreadsheet takes a cell that begins so for a formula. Source: OWASP, CSV Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
Row = Sequence[object]


def plain(value: object) -> str:
    """Return a cell that no spreadsheet runs: numbers as they are, text that could begin a formula behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return f"{value:.2f}" if isinstance(value, float) else str(value)
    text = str(value)
    return f"'{text}" if text.lstrip(" \xa0").startswith(_FORMULA) else text


@permission_required("incidents.view_trends", raise_exception=True)
@require_GET
@never_cache
def export(request: HttpRequest, table: str) -> HttpResponse:
    """Send a table of the trends as CSV, with the page's filters. Times are in minutes, moments in UTC."""
    tables: dict[str, Callable[[HttpRequest, Asked], Iterable[Row]]] = {
        "incidents": _incidents,
        "weeks": _weeks,
        "groups": _groups,
        "recurring": _recurring,
        "noise": _noise,
        "people": _people,
    }
    if table not in tables:
        raise Http404(f"No table {table!r}; there are {', '.join(tables)}.")
    wanted = asked(request.GET, now=minute(timezone.now()))
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    days = f"{wanted.choice.start:%Y-%m-%d}-to-{wanted.last_day:%Y-%m-%d}"
    demo = "-demo-data" if wanted.choice.with_demo else ""
    answer["Content-Disposition"] = f'attachment; filename="{table}-{days}{demo}.csv"'
    answer.write("\ufeff")  # spreadsheets take the file for UTF-8 by this
    writer = csv.writer(answer)
    for row in tables[table](request, wanted):
        writer.writerow([plain(value) for value in row])
    return answer


def _visible(request: HttpRequest) -> IncidentQuerySet:
    return Incident.objects.visible_to(request.user)


def _read(request: HttpRequest, wanted: Asked) -> population.Population:
    return population.read(_visible(request), wanted.choice, now=timezone.now())


def _incidents(request: HttpRequest, wanted: Asked) -> Iterable[Row]:
    yield (
        "incident",
        "title",
        "severity",
        "services",
        "team",
        "cause",
        "cause in words",
        "status",
        "opened (UTC)",
        *(f"minutes to {measure}" for measure in ORDER),
        "still going on",
        "demo data",
    )
    narrowing = narrowed(request.GET, wanted)
    found, _ = behind.behind(
        _visible(request), _read(request, wanted), narrowing, zone=zone_of(wanted), limit=population.MOST
    )
    for timed in found:
        yield (
            f"INC-{timed.pk}",
            timed.title,
            timed.severity,
            " ".join(timed.services),
            timed.team,
            timed.cause,
            timed.cause_text,
            timed.status,
            f"{timed.opened_at:%Y-%m-%d %H:%M:%S}",
            *(timed.minutes[measure] if timed.is_over[measure] else None for measure in ORDER),
            "" if timed.is_over[Measure.RESTORE] else "yes",
            "demo data" if timed.is_demo else "",
        )


def _weeks(request: HttpRequest, wanted: Asked) -> Iterable[Row]:
    yield "from (UTC)", "until before", "incidents", f"median minutes to {wanted.measure}", "low 95 %", "high 95 %"
    for span in times.course(_read(request, wanted), wanted.measure).spans:
        yield f"{span.start:%Y-%m-%d}", f"{span.end:%Y-%m-%d}", span.n, *_limits(span.median)


def _groups(request: HttpRequest, wanted: Asked) -> Iterable[Row]:
    yield (
        wanted.by,
        "incidents",
        "still going on",
        "median minutes to restore",
        "low 95 %",
        "high 95 %",
        "median minutes to detect",
        "median minutes to acknowledge",
        "most common cause",
    )
    by = {"service": times.by_service, "team": times.by_team, "severity": times.by_severity, "cause": times.by_cause}
    for group in by[wanted.by](_read(request, wanted)):
        yield (
            group.label,
            group.n,
            group.going_on,
            *_limits(group.restore),
            _limits(group.detect)[0],
            _limits(group.acknowledge)[0],
            group.common_cause,
        )


def _recurring(request: HttpRequest, wanted: Asked) -> Iterable[Row]:
    yield "service", "what", "cause", "times", "hours in all", "last opened (UTC)", "incidents"
    found = recurrence.recurrences(_visible(request), wanted.choice, now=timezone.now())
    for again in found.top:
        names = " ".join(f"INC-{pk}" for pk in again.ids)
        yield again.service, again.what, again.cause, again.times, again.hours, f"{again.last_at:%Y-%m-%d %H:%M}", names


def _noise(_request: HttpRequest, wanted: Asked) -> Iterable[Row]:
    yield "alert", "services", "firings", "opened", "joined", "held back", "silenced", "days on which one flapped"
    for name in noise.noise(wanted.choice, now=timezone.now()).names:
        yield (
            name.name,
            name.services,
            name.firings,
            name.opened,
            name.joined,
            name.held,
            name.silenced,
            name.flapping,
        )


def _people(request: HttpRequest, wanted: Asked) -> Iterable[Row]:
    yield "person", "incidents", "hours", "hours with known office hours", "out of office hours"
    for person in people.load(_visible(request), wanted.choice, now=timezone.now()).people:
        yield person.name, person.incidents, person.hours, person.known_hours, person.out_of_hours


def _limits(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    """Return a median with its limits; what is not known, or has no limit, is an empty cell."""
    if estimate is None:
        return None, None, None
    middle, low, high = (
        value if isfinite(value) else None for value in (estimate.minutes, estimate.low, estimate.high)
    )
    return middle, low, high
