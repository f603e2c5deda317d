"""Records: services, anomalies, incidents, and the investigation that explains one."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Service(models.Model):
    """The monitored thing. Tags come from its telemetry's resource attributes."""

    name = models.CharField(max_length=200, unique=True)
    environment = models.CharField(max_length=100, blank=True)
    team = models.CharField(max_length=100, blank=True)
    version = models.CharField(max_length=100, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ServiceEdge(models.Model):
    """Who calls whom, learned from spans."""

    caller = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="calls")
    callee = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="called_by")
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("caller", "callee"), name="edge_once")]

    def __str__(self) -> str:
        return f"{self.caller} → {self.callee}"


class Incident(models.Model):
    """What is wrong, since when, and how far its mending is."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        MITIGATED = "mitigated", "Mitigated"
        RESOLVED = "resolved", "Resolved"

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
    last_anomaly_at = models.DateTimeField()
    # The number of the newest streamed event; raised under the row's lock, so that numbers are in commit order.
    last_event_number = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("-opened_at",)
        indexes = [models.Index(fields=("source", "status", "-last_anomaly_at"))]
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


class Anomaly(models.Model):
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


class Change(models.Model):
    """Somebody else's deploy or setting change."""

    source = models.CharField(max_length=100, default="live")
    at = models.DateTimeField()
    service = models.CharField(max_length=200)
    title = models.CharField(max_length=300)
    version_before = models.CharField(max_length=100, blank=True)
    version_after = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ("at",)
        constraints = [models.UniqueConstraint(fields=("source", "at", "service", "title"), name="change_once")]

    def __str__(self) -> str:
        return f"{self.service}: {self.title}"


class TimelineEntry(models.Model):
    """What happened, and when it became known."""

    class Kind(models.TextChoices):
        FAULT = "fault", "Fault"
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


class OutboxMessage(models.Model):
    """A task to publish once the transaction that asked for it is committed. The relay deletes it after publishing."""

    task = models.CharField(max_length=100)
    arguments = models.JSONField(default=list)
    queue = models.CharField(max_length=30)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.task}{self.arguments}"
