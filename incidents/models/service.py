"""Records: monitored services, the teams that own them, and who calls whom."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q

EDGES_LAST = timedelta(days=1)  # a learned edge that spans no longer show is forgotten after this


class Team(models.Model):
    """People who own services. A service belongs to the team whose name is its `team` tag."""

    name = models.CharField(max_length=100, unique=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="teams")
    # IANA name; office hours decide what counts as out of hours.
    time_zone = models.CharField(max_length=50, default="UTC")
    works_from = models.TimeField(default="09:00")
    works_until = models.TimeField(default="17:00")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Service(models.Model):
    """The monitored thing. Tags come from its telemetry's resource attributes; a person's word on the team stands above them."""

    name = models.CharField(max_length=200, unique=True)
    environment = models.CharField(max_length=100, blank=True)
    team = models.CharField(max_length=100, blank=True)
    owner = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="services")
    version = models.CharField(max_length=100, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ServiceEdgeQuerySet(models.QuerySet["ServiceEdge"]):
    """Edges, as far as they are believed."""

    def known(self, *, now: datetime) -> ServiceEdgeQuerySet:
        """Return those that hold: seen in spans within a day, or added by a person; never one that a person removed."""
        seen = Q(origin=ServiceEdge.Origin.SPANS, last_seen_at__gte=now - EDGES_LAST)
        return self.filter(seen | Q(origin=ServiceEdge.Origin.ADDED))


class ServiceEdge(models.Model):
    """Who calls whom: learned from spans, unless a person said that it is so or that it is not."""

    class Origin(models.TextChoices):
        SPANS = "spans", "Learned from spans"
        ADDED = "added", "Added by a person"
        REMOVED = "removed", "Removed by a person"

    caller = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="calls")
    callee = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="called_by")
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.SPANS)
    last_seen_at = models.DateTimeField()

    objects = ServiceEdgeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("caller", "callee"), name="edge_once")]

    def __str__(self) -> str:
        return f"{self.caller} → {self.callee}"
