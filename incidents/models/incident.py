"""Records: incidents, what they are made of, who works on them, and the investigation that explains one."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from incidents.detection.anomaly import Direction, Episode
from incidents.models.judged import Judged
from incidents.models.service import Team
from incidents.telemetry.datamodel import SeriesKey


class IncidentQuerySet(models.QuerySet["Incident"]):
    """Incidents, as far as somebody may see them."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> IncidentQuerySet:
        """Return those that the person may see: all unrestricted ones; restricted ones only by permission, part in it, or team."""
        if not isinstance(user, User) or not user.has_perm("incidents.view_incident"):
            return self.none()
        if user.has_perm("incidents.view_restricted_incident"):
            return self
        part = Q(roles__user=user) | Q(team__members=user)
        return self.filter(Q(is_restricted=False) | Q(pk__in=Incident.objects.filter(part).values("pk")))


class Incident(models.Model):
    """What is wrong, since when, and how far its mending is."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        MITIGATED = "mitigated", "Mitigated"
        RESOLVED = "resolved", "Resolved"
        CLOSED = "closed", "Closed"  # resolved, and everything to be learned from it is written down

    class Cause(models.TextChoices):
        """What it came from, as people decided."""

        UNKNOWN = "", "Not known"
        DEPLOY = "deploy", "Deploy"
        CONFIGURATION = "configuration", "Configuration"
        CODE = "code", "Defect in our code"
        CAPACITY = "capacity", "Capacity"
        DEPENDENCY = "dependency", "Dependency"
        INFRASTRUCTURE = "infrastructure", "Infrastructure"
        DATA = "data", "Data"
        SECURITY = "security", "Security"
        FALSE_ALARM = "false-alarm", "False alarm"

    title = models.CharField(max_length=300)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.OPEN)
    severity = models.PositiveSmallIntegerField()
    services = ArrayField(models.CharField(max_length=200), default=list)
    # "live", or the name of the hot-store schema that a replay filled.
    source = models.CharField(max_length=100, default="live")
    started_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    mitigated_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    snoozed_until_at = models.DateTimeField(null=True, blank=True)  # until then it asks nobody for anything
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="incidents")
    cause = models.CharField(max_length=20, choices=Cause.choices, blank=True, default=Cause.UNKNOWN)
    cause_text = models.CharField(max_length=500, blank=True)
    tags = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    is_restricted = models.BooleanField(default=False)
    is_demo = models.BooleanField(default=False)  # made up for trying things out; said wherever it shows
    merged_into = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="merged")
    last_anomaly_at = models.DateTimeField()
    # The number of the newest streamed event; raised under the row's lock, so that numbers are in commit order.
    last_event_number = models.BigIntegerField(default=0)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at",)
        indexes = [
            models.Index(fields=("source", "status", "-last_anomaly_at")),
            models.Index(fields=("status", "-opened_at")),
            models.Index(fields=("-opened_at",)),
        ]
        permissions = [
            ("view_restricted_incident", "Can see restricted incidents"),
            ("respond_to_incident", "Can acknowledge, mitigate, resolve, note, assign, merge and split"),
            ("silence_alerts", "Can snooze alerts and set maintenance windows"),
            ("manage_sources", "Can set up alert sources, grouping rules, services and teams"),
            ("view_trends", "Can see trends and reports"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(severity__gte=1, severity__lte=4), name="severity_1_to_4"),
            models.CheckConstraint(condition=Q(opened_at__gte=models.F("started_at")), name="opens_after_start"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.title}"

    @property
    def reference(self) -> str:
        """What people call it."""
        return f"INC-{self.pk}"


class Anomaly(Judged):
    """An episode of one series, kept with the incident that it became part of."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="anomalies")
    service = models.CharField(max_length=200)
    name = models.CharField(max_length=300)
    attributes = models.TextField(default="{}")
    unit = models.CharField(max_length=50, blank=True)
    direction = models.CharField(max_length=4)
    started_at = models.DateTimeField()
    detected_at = models.DateTimeField()
    peaked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    usual_low = models.FloatField()
    usual_high = models.FloatField()
    peak = models.FloatField()
    score = models.FloatField()

    class Meta:
        verbose_name_plural = "anomalies"
        ordering = ("started_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("incident", "service", "name", "attributes", "started_at"), name="episode_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.name} {self.direction}"

    @property
    def episode(self) -> Episode:
        """The row as detection and evidence know it."""
        return Episode(
            key=SeriesKey(self.service, self.name, self.attributes, self.unit),
            direction=Direction(self.direction),
            started_at=self.started_at,
            detected_at=self.detected_at,
            peaked_at=self.peaked_at,
            ended_at=self.ended_at,
            usual_low=self.usual_low,
            usual_high=self.usual_high,
            peak=self.peak,
            score=self.score,
        )


class Change(models.Model):
    """Somebody else's deploy or setting change, seen in telemetry or told by a delivery pipeline."""

    source = models.CharField(max_length=100, default="live")
    at = models.DateTimeField()
    service = models.CharField(max_length=200)
    title = models.CharField(max_length=300)
    version_before = models.CharField(max_length=100, blank=True)
    version_after = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=20, default="deploy")  # deploy, rollback, config, flag, migration, other
    status = models.CharField(max_length=20, blank=True)  # started, succeeded, failed
    environment = models.CharField(max_length=100, blank=True)
    author = models.CharField(max_length=150, blank=True)
    link = models.URLField(max_length=1000, blank=True)
    told_by = models.CharField(max_length=100, blank=True)  # the source's name; empty when seen in telemetry
    external_id = models.CharField(
        max_length=200, blank=True
    )  # the teller's, so that its end is told of the same change

    class Meta:
        ordering = ("at",)
        indexes = [models.Index(fields=("source", "-at"))]
        constraints = [
            models.UniqueConstraint(fields=("source", "at", "service", "title"), name="change_once"),
            models.UniqueConstraint(
                fields=("told_by", "external_id"), condition=~Q(external_id=""), name="change_told_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.title}"


class TimelineEntry(models.Model):
    """What happened, and when it became known."""

    class Kind(models.TextChoices):
        FAULT = "fault", "Fault"
        ALERT = "alert", "Alert"
        CHANGE = "change", "Change"
        PERSON = "person", "Person"
        COPILOT = "copilot", "Co-pilot"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="timeline")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    happened_at = models.DateTimeField()
    known_at = models.DateTimeField()
    text = models.CharField(max_length=500)
    actor = models.CharField(max_length=150, blank=True)

    class Meta:
        verbose_name_plural = "timeline entries"
        ordering = ("happened_at", "pk")
        constraints = [
            models.UniqueConstraint(fields=("incident", "kind", "happened_at", "text"), name="timeline_entry_once")
        ]

    def __str__(self) -> str:
        return f"{self.happened_at:%H:%M:%S} {self.text}"


class Investigation(models.Model):
    """One explanation of an incident: its evidence, pinned, so that a citation never expires.

    Claimed by a conditional UPDATE of `claimed_until`; a worker that dies leaves a lease that runs out.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    incident = models.OneToOneField(Incident, on_delete=models.CASCADE, related_name="investigation")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    evidence = models.JSONField(default=dict)  # EvidenceBundle
    brief = models.JSONField(default=dict)  # Brief
    stage_seconds = models.JSONField(default=dict)
    failure = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"investigation of {self.incident_id}: {self.state}"


class FormerLook(models.Model):
    """What an investigation said until a newer look took its place: what a reader of the page knew then. Never changed."""

    MOST_KEPT = 30  # an incident; the oldest go first

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="former_looks")
    finished_at = models.DateTimeField()
    evidence = models.JSONField()  # EvidenceBundle
    brief = models.JSONField()  # Brief
    stage_seconds = models.JSONField(default=dict)

    class Meta:
        ordering = ("incident", "finished_at")
        constraints = [models.UniqueConstraint(fields=("incident", "finished_at"), name="former_look_once")]

    def __str__(self) -> str:
        return f"look at {self.incident_id} of {self.finished_at:%H:%M:%S}"
