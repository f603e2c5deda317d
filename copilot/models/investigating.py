"""Records of an investigation: each call of a tool, and what people say meanwhile."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class InvestigationStep(models.Model):
    """One call of a tool for an answer: what was asked, what came of it, and what the turn of the model that asked took (`call`)."""

    class State(models.TextChoices):
        RUNNING = "running", "Looking"
        DONE = "done", "Found"
        NOTHING = "nothing", "Nothing there"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"

    message = models.ForeignKey("copilot.Message", on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField()
    turn = models.PositiveSmallIntegerField()  # steps of one turn run at the same time
    plan = models.TextField(blank=True)  # what the model said it wants to find out; on a turn's first step
    tool = models.CharField(max_length=60)
    arguments = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    reason = models.TextField(blank=True)
    evidence = models.JSONField(default=list)  # ids
    note = models.TextField(blank=True)
    lines = models.TextField(blank=True)  # the whole table, masked, a line each
    seconds = models.FloatField(default=0.0)
    call = models.ForeignKey(
        "copilot.ModelCall", on_delete=models.SET_NULL, null=True, blank=True, related_name="steps"
    )
    started_at = models.DateTimeField()

    class Meta:
        ordering = ("message", "number")
        constraints = [models.UniqueConstraint(fields=("message", "number"), name="step_number_once")]

    def __str__(self) -> str:
        return f"{self.number}. {self.tool}: {self.state}"


class Steering(models.Model):
    """What somebody said to an answer that is being written: words for its next turn, or, without any, to stop."""

    message = models.ForeignKey("copilot.Message", on_delete=models.CASCADE, related_name="steerings")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    text = models.TextField(blank=True)
    at = models.DateTimeField()
    heard = models.BooleanField(default=False)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.author}: {self.text or 'stop'}"
