"""Records: how alerts, anomalies and changes were put together into incidents, by which rule, and what people thought of it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from incidents.models.alerts import Alert
from incidents.models.incident import Incident


class GroupingRule(models.Model):
    """A person's rule: alerts that match and share the values of some labels within some minutes are one incident."""

    class State(models.TextChoices):
        OFF = "off", "Off"
        SHADOW = "shadow", "Shadow: decides nothing, shows what it would do"
        ON = "on", "On"

    name = models.CharField(max_length=100, unique=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SHADOW)
    matchers = models.JSONField(default=dict)  # as a Silence's
    group_by = ArrayField(models.CharField(max_length=64), default=list)
    window_minutes = models.PositiveIntegerField(default=30)
    position = models.PositiveSmallIntegerField(default=0)  # the first rule that matches decides
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("position", "pk")

    def __str__(self) -> str:
        return self.name


class GroupingDecision(models.Model):
    """One decision with the features it was made on. `sentence` is what pages show; an undone one is what the weights learn from."""

    class Outcome(models.TextChoices):
        OPENED = "opened", "Opened an incident"
        JOINED = "joined", "Joined an incident"
        HELD = "held", "Held back"
        SILENCED = "silenced", "Silenced"
        MERGED = "merged", "Merged by a person"
        SPLIT = "split", "Split off by a person"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, null=True, related_name="grouping_decisions")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, null=True, related_name="grouping_decisions")
    subject = models.CharField(max_length=300)  # what was put there, in words: an alert, an anomaly, a change
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    features = models.JSONField(default=dict)  # name → number, see `detection.affinity`
    # What a merge or split moved, so that undoing it can move it back: {"alerts": [ids], "anomalies": [ids], …}.
    moved = models.JSONField(default=dict, blank=True)
    score = models.FloatField(null=True)
    sentence = models.CharField(max_length=500)
    rule = models.ForeignKey(GroupingRule, on_delete=models.SET_NULL, null=True, related_name="decisions")
    is_shadow = models.BooleanField(default=False)
    decided_at = models.DateTimeField()
    decided_by = models.CharField(max_length=150, blank=True)  # a person; empty for the program
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ("-decided_at",)
        indexes = [models.Index(fields=("incident", "-decided_at")), models.Index(fields=("outcome", "-decided_at"))]

    def __str__(self) -> str:
        return self.sentence
