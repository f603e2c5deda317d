"""Records: a day's and a month's alerts of one name, added up once, so that trends over a million alerts read a few thousand rows."""

from __future__ import annotations

from django.db import models


class AlertDay(models.Model):
    """What came in on one UTC day under one alert name of one service, and what became of it. Made again from alerts and decisions at will."""

    day = models.DateField()
    name = models.CharField(max_length=200)
    service = models.CharField(max_length=200, blank=True)
    team = models.CharField(max_length=100, blank=True)
    is_demo = models.BooleanField(default=False)
    firings = models.PositiveBigIntegerField(default=0)  # how often an alert began to fire
    alerts = models.PositiveBigIntegerField(default=0)  # different alerts among them
    flapping = models.PositiveBigIntegerField(default=0)  # alerts that began to fire four times or more on the day
    opened = models.PositiveBigIntegerField(default=0)  # decisions of the day: opened an incident, and so on
    joined = models.PositiveBigIntegerField(default=0)
    held = models.PositiveBigIntegerField(default=0)
    silenced = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("-day", "name")
        constraints = [
            models.UniqueConstraint(fields=("day", "name", "service", "team", "is_demo"), name="alert_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.name} {self.service}: {self.firings}"


class AlertMonth(models.Model):
    """The days of one UTC month under one alert name of one service added up. Made again from those at will."""

    month = models.DateField()  # its first day
    name = models.CharField(max_length=200)
    service = models.CharField(max_length=200, blank=True)
    team = models.CharField(max_length=100, blank=True)
    is_demo = models.BooleanField(default=False)
    firings = models.PositiveBigIntegerField(default=0)
    flapping = models.PositiveBigIntegerField(default=0)
    opened = models.PositiveBigIntegerField(default=0)
    joined = models.PositiveBigIntegerField(default=0)
    held = models.PositiveBigIntegerField(default=0)
    silenced = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("-month", "name")
        constraints = [
            models.UniqueConstraint(fields=("month", "name", "service", "team", "is_demo"), name="alert_month_once")
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.name} {self.service}: {self.firings}"
