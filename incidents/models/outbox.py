"""Records: tasks waiting to be published, tasks given up on, and what was refused or dropped, counted by reason."""

from __future__ import annotations

from django.db import models


class OutboxMessage(models.Model):
    """A task to publish once the transaction that asked for it is committed. The relay deletes it after publishing."""

    task = models.CharField(max_length=100)
    arguments = models.JSONField(default=list)
    queue = models.CharField(max_length=30)
    created_at = models.DateTimeField(auto_now_add=True)

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
