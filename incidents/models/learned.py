"""Records: what people found the cause of an incident to be, and what was tried on the way, also what did not help."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from incidents.models.incident import Incident


class ConfirmedCause(models.Model):
    """Where the fault was, as people decided. The kind of cause and their words are the incident's own `cause` and `cause_text`.

    `service` is "" when none of ours was at fault. What the co-pilot had stated until then is kept beside it, so that its chances can be
    compared with what turned out: `stated_chance` is localization's own in [0, 1], `stated_confidence` what was left of it on the page; both
    are None where it had suspected nobody. A later correction changes what people say, never what was stated.
    """

    class Family(models.TextChoices):
        """The kinds of fault that localization tells apart."""

        UNKNOWN = "", "Not known"
        RESOURCE = "resource", "A resource ran out"
        LATENCY = "latency", "Became slow"
        ERROR = "error", "Failed"
        CODE_PATH = "code path", "Did something else"
        TRAFFIC = "traffic", "Was asked for more or less"

    incident = models.OneToOneField(Incident, on_delete=models.CASCADE, related_name="confirmed_cause")
    service = models.CharField(max_length=200, blank=True)
    family = models.CharField(max_length=20, choices=Family.choices, blank=True, default=Family.UNKNOWN)
    confirmed_at = models.DateTimeField()
    confirmed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField()
    stated_service = models.CharField(max_length=200, blank=True)
    stated_certainty = models.CharField(max_length=20, blank=True)
    stated_chance = models.FloatField(null=True, blank=True)
    stated_confidence = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ("-confirmed_at",)
        constraints = [
            models.CheckConstraint(
                condition=Q(stated_chance=None) | Q(stated_chance__gte=0, stated_chance__lte=1),
                name="stated_chance_is_a_share",
            ),
            models.CheckConstraint(
                condition=Q(stated_confidence=None) | Q(stated_confidence__gte=0, stated_confidence__lte=1),
                name="stated_confidence_is_a_share",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}: {self.service or 'no service of ours'}"

    @property
    def is_as_stated(self) -> bool:
        """Whether the co-pilot's leading suspect was it."""
        return bool(self.stated_service) and self.stated_service == self.service


class Lesson(models.Model):
    """One thing that was tried in an incident, or one cause that was ruled out; later incidents that resemble it are shown it.

    `service` is where it was tried, or who was not the cause. `told_by` is "" when the co-pilot's own checks found it; those end with the look
    that found them. `cites` are evidence ids of the incident.
    """

    class Kind(models.TextChoices):
        FIXED = "fixed", "Fixed it"
        NO_HELP = "no help", "Did not help"
        WORSE = "worse", "Made it worse"
        RULED_OUT = "ruled out", "Was not the cause"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="lessons")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    service = models.CharField(max_length=200, blank=True)
    text = models.CharField(max_length=300)
    cites = ArrayField(models.CharField(max_length=6), default=list, blank=True)
    told_at = models.DateTimeField()
    told_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ("told_at", "pk")
        indexes = [models.Index(fields=("service", "kind"))]
        constraints = [
            models.UniqueConstraint(fields=("incident", "kind", "service", "text"), name="lesson_once"),
            models.CheckConstraint(condition=~Q(text=""), name="lesson_says_something"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.text}"
