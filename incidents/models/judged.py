"""What rows of departures share: whether it clears by itself, as detection last judged it."""

from __future__ import annotations

from django.db import models

from incidents.detection.anomaly import Outlook, Transience

JUDGED = ("transience", "clears_share", "clears_low", "clears_high", "clears_known")


class Judged(models.Model):
    """What a departure comes to, and how probably it clears by itself within ten minutes (95 % interval), as of the last look.

    Empty where nobody judged it; `clears_known` is on how many earlier departures of the series that rests.
    """

    transience = models.CharField(max_length=10, blank=True, choices=[(one.value, one.value) for one in Transience])
    clears_share = models.FloatField(null=True, blank=True)
    clears_low = models.FloatField(null=True, blank=True)
    clears_high = models.FloatField(null=True, blank=True)
    clears_known = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True

    def take(self, outlook: Outlook | None) -> None:
        """Take over a judgement; None changes nothing."""
        if outlook is None:
            return
        said = outlook.clearing
        self.transience = outlook.transience.value
        self.clears_share, self.clears_low, self.clears_high, self.clears_known = (
            said.share,
            said.low,
            said.high,
            said.known,
        )
