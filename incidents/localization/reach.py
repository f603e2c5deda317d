"""Which services did not answer: calls that left no span where they always did."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.localization.significance import share_sigmas, strength
from incidents.localization.traces import TraceView

# This share of calls without an answer is halfway to mattering.
NOTICEABLE = 0.1
MIN_CALLS = 3


@dataclass(frozen=True)
class Unanswered:
    """A service that left calls without an answer: their share before and during the incident; `rows` are the callers' spans."""

    service: str
    before: float
    after: float
    strength: float
    rows: NDArray[np.int64]


def unanswered(view: TraceView) -> list[Unanswered]:
    """Return the services that answer a smaller share of the calls to them than before, strongest first."""
    services = view.table.services
    width = len(services)
    lost = view.unanswered
    arrivals = np.where(view.crosses, view.table.service, -1)

    def count(of: NDArray[np.int64], side: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(of[side & (of >= 0)], minlength=width).astype(np.float64)

    lost_before, lost_after = count(lost, view.before), count(lost, view.after)
    all_before, all_after = lost_before + count(arrivals, view.before), lost_after + count(arrivals, view.after)
    some = np.flatnonzero((lost_after > 0) & (all_after >= MIN_CALLS) & (all_before >= MIN_CALLS))
    sigmas = share_sigmas(lost_after[some], all_after[some], lost_before[some], all_before[some], spread=0.0)
    before, after = lost_before[some] / all_before[some], lost_after[some] / all_after[some]
    risen = np.maximum(after - before, 0.0)
    strengths = strength(sigmas, risen * (1 + NOTICEABLE) / (risen + NOTICEABLE))
    found = [
        Unanswered(
            services[place],
            float(before[n]),
            float(after[n]),
            float(strengths[n]),
            np.flatnonzero((lost == place) & view.after),
        )
        for n, place in enumerate(some.tolist())
        if strengths[n] > 0
    ]
    return sorted(found, key=lambda one: -one.strength)
