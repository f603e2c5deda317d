"""Records: tasks waiting to be published, tasks given up on, and what was refused or dropped, counted by reason."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class OutboxMessage(models.Model):
    """A task asked for, from the transaction that asked until it is done: what the broker forgets is published again.

    Waiting (not published), on its way (published), running (claimed), then deleted; or moved to the dead letters.
    """

    task = models.CharField(max_length=100)
    arguments = models.JSONField(default=list)
    queue = models.CharField(max_length=30)
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(null=True, blank=True)  # not to be published before
    published_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # how often it was begun
    claimed_until = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=100, blank=True)  # the worker's name
    failure = models.TextField(blank=True)  # why the last attempt failed

    class Meta:
        indexes = [
            models.Index(fields=("id",), condition=Q(published_at=None), name="outbox_waiting"),
            models.Index(fields=("published_at",), condition=Q(published_at__isnull=False), name="outbox_published"),
        ]

    def __str__(self) -> str:
        return f"{self.task}{self.arguments}"


class DeadLetter(models.Model):
    """A task that failed three times. Nothing repeats it until a person says so."""

    task = models.CharField(max_length=100)
    arguments = models.JSONField(default=list)
    queue = models.CharField(max_length=30)
    attempts = models.PositiveSmallIntegerField()
    cause = models.TextField()
    failed_at = models.DateTimeField()
    retried_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-failed_at",)

    def __str__(self) -> str:
        return f"{self.task}{self.arguments}: {self.cause[:80]}"


class DropCount(models.Model):
    """How many records of one kind were refused or dropped for one reason in one minute."""

    minute_at = models.DateTimeField()
    what = models.CharField(max_length=30)  # spans, logs, points, alerts, changes, tasks
    source = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=100)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("-minute_at",)
        constraints = [
            models.UniqueConstraint(fields=("minute_at", "what", "source", "reason"), name="drop_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.what} dropped: {self.reason}"
