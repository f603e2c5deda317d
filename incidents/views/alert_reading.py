"""Reads alerts for the pages: only what the person may see, page by page, whatever the number of alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet

from incidents.models import Alert, Incident

A_PAGE = 50
MOST_COUNTED = 10_000
SEARCHED = 20_000  # alerts, the newest, that a search for words looks at


@dataclass(frozen=True)
class Narrowing:
    """What the list is narrowed to; empty means everything."""

    words: str = ""
    status: str = "firing"
    severity: str = ""
    quiet: str = ""  # counts, quiet, or one reason
    source: str = ""
    service: str = ""
    name: str = ""


@dataclass(frozen=True)
class Found:
    """One page of alerts, and where the next begins ("" at the end)."""

    alerts: tuple[Alert, ...]
    older: str


def visible(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Alert]:
    """Return the alerts that the person may see: those without an incident, and those of incidents that they may see."""
    hidden = Incident.objects.filter(is_restricted=True).exclude(pk__in=Incident.objects.visible_to(user).values("pk"))
    return Alert.objects.exclude(incident__in=hidden)


def narrowed(alerts: QuerySet[Alert], by: Narrowing) -> QuerySet[Alert]:
    """Return those that the list is narrowed to."""
    exact: dict[str, str] = {"source__name": by.source, "service": by.service, "name": by.name}
    if by.severity in ("1", "2", "3", "4"):
        exact["severity"] = by.severity
    alerts = alerts.filter(**{field: value for field, value in exact.items() if value})
    if by.quiet == "counts":
        alerts = alerts.filter(quiet="")
    elif by.quiet == "quiet":
        alerts = alerts.exclude(quiet="")
    elif by.quiet in Alert.Quiet.values and by.quiet:
        alerts = alerts.filter(quiet=by.quiet)
    for word in by.words.split()[:6]:
        alerts = alerts.filter(Q(name__icontains=word) | Q(summary__icontains=word) | Q(service__icontains=word))
    return alerts


def page(user: AbstractBaseUser | AnonymousUser, by: Narrowing, *, before: str) -> Found:
    """Return the page of alerts that begins after `before`, the last received first."""
    # An index gives each status in this order; both at once it does not.
    statuses = [by.status] if by.status in Alert.Status.values else Alert.Status.values
    found: list[Alert] = []
    for status in statuses:
        base = visible(user).filter(status=status)
        if by.words:
            newest = Alert.objects.filter(status=status).order_by("-last_received_at").values("pk")[:SEARCHED]
            base = base.filter(pk__in=newest)
        rows = narrowed(base, by).filter(_after(before)).select_related("source", "incident")
        found += rows.order_by("-last_received_at", "-pk")[: A_PAGE + 1]
    found.sort(key=lambda alert: (alert.last_received_at, alert.pk), reverse=True)
    shown = found[:A_PAGE]
    last = shown[-1] if len(found) > A_PAGE else None
    return Found(tuple(shown), f"{last.last_received_at.isoformat()}_{last.pk}" if last else "")


def _after(before: str) -> Q:
    moment, _, number = before.rpartition("_")
    try:
        at, pk = datetime.fromisoformat(moment), int(number[:18])
    except ValueError:
        return Q()
    if at.tzinfo is None:
        return Q()
    return Q(last_received_at__lt=at) | Q(last_received_at=at, pk__lt=pk)


def counts(user: AbstractBaseUser | AnonymousUser) -> Mapping[str, str]:
    """Return how many alerts fire: all, those that count, and those kept quiet; above 10,000 only that it is more."""
    firing = visible(user).filter(status=Alert.Status.FIRING)
    return {
        "firing": _counted(firing),
        "counts": _counted(firing.filter(quiet="")),
        "quiet": _counted(firing.exclude(quiet="")),
    }


def _counted(alerts: QuerySet[Alert]) -> str:
    number = alerts.order_by()[: MOST_COUNTED + 1].count()
    return f"{MOST_COUNTED:,}+" if number > MOST_COUNTED else f"{number:,}"
