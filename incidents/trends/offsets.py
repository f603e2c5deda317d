"""Local time for many moments at once, with the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

DAY = 86_400


def zone_named(name: str) -> ZoneInfo | None:
    """Return the zone with an IANA name, None when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def local_seconds(moments: NDArray[np.float64], *, zone: ZoneInfo) -> NDArray[np.float64]:
    """Return what a local clock shows, as seconds since the clock showed 1970, for moments in epoch seconds."""
    if not len(moments):
        return moments
    starts, offsets = _offsets(zone.key, int(moments.min() // DAY), int(moments.max() // DAY) + 2)
    return np.asarray(moments + np.array(offsets)[np.searchsorted(np.array(starts), moments, side="right") - 1])


@lru_cache(maxsize=64)
def _offsets(name: str, first_day: int, last_day: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return from when which offset (seconds) holds. Days are compared, and a change within one is found to the minute."""
    zone = ZoneInfo(name)

    def offset(seconds: float) -> float:
        found = datetime.fromtimestamp(seconds, tz=UTC).astimezone(zone).utcoffset() or timedelta()
        return found.total_seconds()

    starts, offsets = [float(first_day * DAY)], [offset(first_day * DAY)]
    for day in range(first_day, last_day):
        held, later = offsets[-1], offset((day + 1) * DAY)
        if later != held:
            minutes = range(day * DAY, (day + 1) * DAY + 1, 60)
            is_later = [offset(minute) != held for minute in minutes]
            starts.append(float(minutes[is_later.index(True)]))
            offsets.append(later)
    return tuple(starts), tuple(offsets)
