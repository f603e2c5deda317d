"""Records: who works on an incident, what is to be done, who follows it, and what was told to whom."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from incidents.models.alerts import AlertSource
from incidents.models.incident import Incident, TimelineEntry


class IncidentRole(models.Model):
    """Somebody's part in an incident, from when until when; what people-hours are counted from."""

    class Role(models.TextChoices):
        COMMANDER = "commander", "Commander"
        COMMUNICATIONS = "communications", "Communications"
        SCRIBE = "scribe", "Scribe"
        RESPONDER = "responder", "Responder"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="roles")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="incident_roles")
    role = models.CharField(max_length=15, choices=Role.choices)
    since_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("since_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("incident", "role"),
                condition=Q(until_at=None) & ~Q(role="responder"),
                name="one_holder_of_a_role",
            ),
            models.UniqueConstraint(
                fields=("incident", "user", "role"), condition=Q(until_at=None), name="role_held_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"


class IncidentTask(models.Model):
    """Something to be done for an incident, during it or after it."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="tasks")
    text = models.CharField(max_length=300)
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    is_follow_up = models.BooleanField(default=False)  # after the incident
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("done_at", "created_at")

    def __str__(self) -> str:
        return self.text


class StatusUpdate(models.Model):
    """What stakeholders are told. A draft until a person publishes it."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="status_updates")
    text = models.TextField()
    drafted_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ("-drafted_at",)

    def __str__(self) -> str:
        return self.text[:80]


class Watch(models.Model):
    """Somebody wants to hear of an incident, or of every incident of a service or severity."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="watches")
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, null=True, blank=True, related_name="watches")
    service = models.CharField(max_length=200, blank=True)
    at_least_severity = models.PositiveSmallIntegerField(default=4)  # 1 is the worst
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("user", "incident", "service"), name="watch_once", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.user} watches {self.incident or self.service or 'everything'}"


class NotificationChannel(models.Model):
    """Where somebody is told, besides on the page."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_channels")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    target = models.CharField(max_length=500)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("user", "kind", "target"), name="channel_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind} {self.target}"


class Notification(models.Model):
    """One thing told to one person, of an incident or a source. On the page it shows until read; a channel's copy is sent by a worker, never twice."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, null=True, blank=True, related_name="notifications"
    )
    source = models.ForeignKey(AlertSource, on_delete=models.CASCADE, null=True, blank=True)
    channel = models.ForeignKey(NotificationChannel, on_delete=models.CASCADE, null=True, blank=True)
    # What it tells of: one entry is told once to each place, however often its task runs.
    entry = models.ForeignKey(TimelineEntry, on_delete=models.CASCADE, null=True, blank=True)
    text = models.CharField(max_length=500)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    failure = models.CharField(max_length=300, blank=True)
    # When a worker may try; empty once it was sent, given up, or is being sent: a worker that dies then leaves it unsent, never twice.
    try_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        indexes = [
            models.Index(fields=("user", "-created_at"), condition=Q(read_at=None), name="notification_unread"),
            models.Index(fields=("try_at",), condition=Q(try_at__isnull=False), name="notification_to_send"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=("user", "channel", "entry"),
                condition=Q(entry__isnull=False),
                name="told_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.text}"

    @property
    def path(self) -> str:
        """The page that it is about."""
        if self.incident_id is not None:
            return reverse("incident-page", args=[self.incident_id])
        return reverse("source-page", args=[self.source_id])
