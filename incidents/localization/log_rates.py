"""Lines that no span speaks for: templates of a service that appeared, or came more often, for the number of requests served."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.localization.log_templates import TemplatedLines
from incidents.localization.significance import strength

# A line that speaks of a failure counts in full; one that stopped coming nearly as much: a step no longer reached; a new one less;
# a known one that comes more often least: traffic does that too.
ALARMING, VANISHED, NEW, MORE = 1.0, 0.6, 0.4, 0.15
# Lines come in bursts: their number varies more than chance alone would have it (index of dispersion).
BURSTINESS = 3.0
MIN_LINES = 3


@dataclass(frozen=True)
class LineChange:
    """A template whose number changed. `before` and `after` are lines per request; `places` index the incident's lines, or those
    from before where the template vanished: examples of it."""

    service: str
    template: str
    before: float
    after: float
    alarming: bool
    strength: float
    places: NDArray[np.int64]


def line_changes(
    templates: TemplatedLines, *, before: NDArray[np.bool_], after: NDArray[np.bool_], requests: tuple[int, int]
) -> list[LineChange]:
    """Return the templates that came more or less often, or stopped coming, for the requests served, strongest first.

    `before` and `after` mark the lines to count, shape (lines,); `requests` how many requests (or seconds) each side had.
    A service without a line before is left out: nothing can be compared.
    """
    width = len(templates.texts)
    if not width:
        return []
    counts = [np.bincount(templates.template[side], minlength=width).astype(np.float64) for side in (before, after)]
    numbers = {name: place for place, name in enumerate(dict.fromkeys(templates.owners))}
    owner = np.array([numbers[name] for name in templates.owners])
    totals = [np.bincount(owner, weights=count, minlength=len(numbers))[owner] for count in counts]
    by_requests = counts[0] * requests[1] / requests[0]
    by_lines = counts[0] * totals[1] / np.maximum(totals[0], 1)
    # Either yardstick excuses a change: more requests, or a service that is asked for other things.
    rise = counts[1] - np.maximum(by_requests, by_lines)
    fall = np.minimum(by_requests, by_lines) - counts[1]
    change = np.maximum(rise, fall)
    sigmas = change / np.sqrt(BURSTINESS * (counts[1] + np.maximum(by_requests, by_lines) + 1))
    telling = (totals[0] > 0) & (sigmas > 1) & (np.maximum(counts[1], np.minimum(by_requests, by_lines)) >= MIN_LINES)
    found = []
    for number in np.flatnonzero(telling).tolist():
        rose = bool(rise[number] > 0)
        weight = _weight(templates.alarming[number], known=bool(counts[0][number]), rose=rose)
        reach = change[number] / max(counts[1][number], by_requests[number], 1.0)
        found.append(
            LineChange(
                templates.owners[number],
                templates.texts[number],
                before=float(counts[0][number] / requests[0]),
                after=float(counts[1][number] / requests[1]),
                alarming=templates.alarming[number] and rose,
                strength=float(strength(sigmas[number : number + 1], np.array([weight * reach]))[0]),
                places=np.flatnonzero((templates.template == number) & (after if counts[1][number] else before)),
            )
        )
    return sorted(found, key=lambda one: -one.strength)


def _weight(alarming: bool, *, known: bool, rose: bool) -> float:
    if not rose:
        # A failure that is no longer reported is an improvement.
        return 0.0 if alarming else VANISHED
    return ALARMING if alarming else MORE if known else NEW
