"""Record: one watched series of live telemetry, what it taught, and what people said of its departures."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from incidents.detection.learned import Maturity, maturity_of
from incidents.models.judged import Judged
from incidents.telemetry.datamodel import SeriesKey


class Signal(models.Model):
    """A series by its source and key. `state` is one element of `detection.learned.STATE`, so that a restart loses nothing."""

    source = models.CharField(max_length=100, default="live")
    digest = models.CharField(max_length=32)  # of the key, which is too long for an index
    service = models.CharField(max_length=200)
    name = models.CharField(max_length=300)
    attributes = models.TextField(default="{}")
    unit = models.CharField(max_length=50, blank=True)
    state = models.BinaryField()
    first_learned_at = models.DateTimeField()
    learned_until_at = models.DateTimeField()
    samples = models.PositiveBigIntegerField(default=0)
    score = models.FloatField(null=True, blank=True)  # of the newest sample, 0 to 1
    # People's word: departures up to this many robust standard deviations are expected; None when nobody said so.
    expected_up_to = models.FloatField(null=True, blank=True)
    is_interesting = models.BooleanField(default=True)
    # The beginning of the newest departure of which nobody was told, and why not.
    silent_from_at = models.DateTimeField(null=True, blank=True)
    silent_reason = models.CharField(max_length=50, blank=True)

    class Meta:
        ordering = ("service", "name", "attributes")
        constraints = [models.UniqueConstraint(fields=("source", "digest"), name="signal_once")]
        indexes = [models.Index(fields=("service", "name")), models.Index(fields=("-score",))]

    def __str__(self) -> str:
        return f"{self.service} {self.name}"

    @property
    def key(self) -> SeriesKey:
        """The series as telemetry knows it."""
        return SeriesKey(self.service, self.name, self.attributes, self.unit)

    @property
    def maturity(self) -> Maturity:
        """How much it taught so far."""
        return maturity_of(self.samples, (self.learned_until_at - self.first_learned_at).total_seconds())


class Departure(Judged):
    """A stretch in which a signal was outside its usual range, whether or not anybody was told: what later ones are judged by.

    `ended_at` is None while it lasts or when its end was not seen; `seen_at` is when it last was.
    """

    signal = models.ForeignKey(Signal, on_delete=models.CASCADE, related_name="departures")
    direction = models.CharField(max_length=4)
    began_at = models.DateTimeField()
    detected_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField()
    usual_low = models.FloatField()
    usual_high = models.FloatField()
    peak = models.FloatField()
    score = models.FloatField()
    silent_reason = models.CharField(max_length=50, blank=True)  # why nobody was told, though it was no blip

    class Meta:
        ordering = ("-began_at",)
        constraints = [models.UniqueConstraint(fields=("signal", "direction", "began_at"), name="departure_once")]
        indexes = [models.Index(fields=("transience", "-seen_at"))]

    def __str__(self) -> str:
        return f"{self.signal} {self.direction} {self.began_at:%H:%M:%S}"


class SignalVerdict(models.Model):
    """What somebody said of a departure: kept, for it changes what opens incidents."""

    class Verdict(models.TextChoices):
        EXPECTED = "expected", "Expected"
        NOT_INTERESTING = "not-interesting", "Not interesting"
        INTERESTING = "interesting", "Interesting after all"

    signal = models.ForeignKey(Signal, on_delete=models.CASCADE, related_name="verdicts")
    verdict = models.CharField(max_length=20, choices=Verdict.choices)
    score = models.FloatField(null=True, blank=True)  # of the departure, in robust standard deviations
    said_at = models.DateTimeField()
    said_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)

    class Meta:
        ordering = ("-said_at",)

    def __str__(self) -> str:
        return f"{self.signal}: {self.verdict}"
