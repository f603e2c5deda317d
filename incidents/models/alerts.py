"""Records: where alerts and changes come from, each raw delivery, the alerts, and what silences them."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from incidents.models.incident import Incident


class AlertSource(models.Model):
    """A system that sends alerts or changes here."""

    class Kind(models.TextChoices):
        ALERTMANAGER = "alertmanager", "Alertmanager"
        GRAFANA = "grafana", "Grafana Alerting"
        PAGERDUTY = "pagerduty", "PagerDuty Events API v2"
        GENERIC = "generic", "JSON alerts"
        GITHUB = "github", "GitHub deployments"
        GITLAB = "gitlab", "GitLab deployments"
        ARGOCD = "argocd", "Argo CD"
        GENERIC_CHANGE = "generic-change", "JSON changes"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    # Target field → path in the sender's JSON, for the two generic kinds.
    mapping = models.JSONField(default=dict, blank=True)
    # With secrets, deliveries must be signed (Standard Webhooks); encrypted with a key that is not in the database. Two while rotating.
    signing_secrets = ArrayField(models.TextField(), default=list, blank=True)
    is_enabled = models.BooleanField(default=True)
    most_per_minute = models.PositiveIntegerField(default=600)
    created_at = models.DateTimeField()
    last_received_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class SourceToken(models.Model):
    """A token that a source sends; only its SHA-256 is kept. A source may have several while one replaces another."""

    source = models.ForeignKey(AlertSource, on_delete=models.CASCADE, related_name="tokens")
    token_sha256 = models.CharField(max_length=64, unique=True)
    beginning = models.CharField(max_length=12)  # shown, so that people can tell tokens apart
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.source}: {self.beginning}…"


class RawEvent(models.Model):
    """One delivery exactly as it came, kept whatever became of it. The unique delivery makes a repeated one harmless."""

    source = models.ForeignKey(AlertSource, on_delete=models.CASCADE, related_name="raw_events")
    delivery_id = models.CharField(max_length=200)  # the sender's, or the body's SHA-256
    received_at = models.DateTimeField()  # the last time, when a body without an id of its own came again
    times = models.PositiveIntegerField(default=1)
    content_type = models.CharField(max_length=100, blank=True)
    # What the address or the vendor's header calls the event; without it some bodies could not be read again.
    event = models.CharField(max_length=60, blank=True, default="", db_default="")
    body = models.BinaryField()
    alerts = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True)  # what could not be used of it, and why

    class Meta:
        ordering = ("-received_at",)
        indexes = [models.Index(fields=("source", "-received_at"))]
        constraints = [models.UniqueConstraint(fields=("source", "delivery_id"), name="delivery_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.delivery_id[:12]}"


class Alert(models.Model):
    """What a source says is wrong: one row for all deliveries with the same fingerprint."""

    class Status(models.TextChoices):
        FIRING = "firing", "Firing"
        RESOLVED = "resolved", "Resolved"

    class Quiet(models.TextChoices):
        """Why a firing alert opens or joins nothing for now."""

        NO = "", "Counts"
        MAINTENANCE = "maintenance", "Maintenance"
        SNOOZED = "snoozed", "Snoozed"
        HELD = "held", "Held: usually resolves itself"
        FLAPPING = "flapping", "Flapping"

    source = models.ForeignKey(AlertSource, on_delete=models.CASCADE, related_name="alerts")
    fingerprint = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    summary = models.CharField(max_length=500, blank=True)
    severity = models.PositiveSmallIntegerField(default=3)
    service = models.CharField(max_length=200, blank=True)
    environment = models.CharField(max_length=100, blank=True)
    team = models.CharField(max_length=100, blank=True)
    labels = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    link = models.URLField(max_length=1000, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices)
    starts_at = models.DateTimeField()  # by the sender's clock, as are the next two
    ends_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField()
    first_received_at = models.DateTimeField()
    last_received_at = models.DateTimeField()
    deliveries = models.PositiveBigIntegerField(default=1)
    episodes = models.PositiveIntegerField(default=1)  # how often it began to fire
    has_user_impact = models.BooleanField(default=False)
    clock_skew_seconds = models.IntegerField(default=0)  # sender minus us, where above a minute
    quiet = models.CharField(max_length=12, choices=Quiet.choices, blank=True, default=Quiet.NO)
    quiet_until = models.DateTimeField(null=True, blank=True)
    incident = models.ForeignKey(Incident, on_delete=models.SET_NULL, null=True, blank=True, related_name="alerts")
    is_demo = models.BooleanField(default=False)

    class Meta:
        ordering = ("-last_received_at",)
        indexes = [
            models.Index(fields=("status", "-last_received_at")),
            models.Index(fields=("name", "-last_received_at")),
            models.Index(fields=("service", "-last_received_at")),
            models.Index(fields=("quiet_until",), condition=Q(quiet_until__isnull=False), name="alert_quiet_until"),
        ]
        constraints = [models.UniqueConstraint(fields=("source", "fingerprint"), name="alert_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.service} {self.status}"


class AlertEvent(models.Model):
    """One change of an alert between firing and resolved, in the sender's time: what survival and flapping are learned from."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="events")
    status = models.CharField(max_length=10, choices=Alert.Status.choices)
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    begins = models.BooleanField(
        default=False
    )  # the sender says that an episode begins here, even if it told of no end before

    class Meta:
        ordering = ("at", "pk")
        # Rows come in the order of this column, so a range of days is found with a tiny index.
        indexes = [BrinIndex(fields=("received_at",), name="alert_event_received", autosummarize=True)]
        constraints = [models.UniqueConstraint(fields=("alert", "status", "at"), name="alert_event_once")]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.status} at {self.at:%H:%M:%S}"


class Silence(models.Model):
    """Alerts that match every label given are recorded but open nothing, until it ends: a maintenance window or a snooze."""

    class Kind(models.TextChoices):
        MAINTENANCE = "maintenance", "Maintenance window"
        SNOOZE = "snooze", "Snooze"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    reason = models.CharField(max_length=300)
    # Label → value; the names `name`, `service`, `environment`, `team`, `source` mean the alert's own fields. `*` matches any part.
    matchers = models.JSONField(default=dict)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    ended_early_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-starts_at",)
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=models.F("starts_at")), name="silence_ends_after_start")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.reason}"


class IntakeAllowance(models.Model):
    """What a source may still send: a token bucket from which each web process takes a share at a time."""

    source = models.OneToOneField(AlertSource, on_delete=models.CASCADE, primary_key=True, related_name="allowance")
    left = models.FloatField()
    counted_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)  # when people were last told that it sends too much

    def __str__(self) -> str:
        return f"{self.source}: {self.left:.0f} left"


class Hold(models.Model):
    """One time that an alert was held back because its kind usually resolves itself, and what came of it."""

    class Outcome(models.TextChoices):
        WAITING = "", "Still held"
        SPARED = "spared", "Resolved itself"
        REAL = "real", "Lasted: shown after the hold"
        RELEASED = "released", "Released by a person"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="holds")
    began_at = models.DateTimeField()
    until = models.DateTimeField()
    # What it rested on: episodes seen to end, and the share of them that had ended within the hold.
    episodes = models.PositiveIntegerField()
    share = models.FloatField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True, default=Outcome.WAITING)
    ended_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ("-began_at",)
        constraints = [
            models.UniqueConstraint(fields=("alert",), condition=Q(ended_at=None), name="alert_held_once"),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} held until {self.until:%H:%M:%S}"


class NeverHold(models.Model):
    """A person's word that alerts of this name are never held back, whatever their history says."""

    source = models.ForeignKey(AlertSource, on_delete=models.CASCADE, related_name="never_held")
    name = models.CharField(max_length=200)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("source", "name"), name="never_hold_once")]

    def __str__(self) -> str:
        return f"{self.source}: {self.name}"
