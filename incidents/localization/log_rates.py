"""Lines that no span speaks for: templates of a service that appeared, or came more often, for the number of requests served."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.localization.log_templates import TemplatedLines
from incidents.localization.significance import strength

# A line that speaks of a failure counts in full, a new one less, a known one that comes more often least: traffic does that too.
ALARMING, NEW, MORE = 1.0, 0.4, 0.15
# Lines come in bursts: their number varies more than chance alone would have it (index of dispersion).
BURSTINESS = 3.0
MIN_LINES = 3


@dataclass(frozen=True)
class LineChange:
    """A template that came more often. `before` and `after` are lines per request; `places` index the incident's lines."""

    service: str
    template: str
    before: float
    after: float
    alarming: bool
    strength: float
    places: NDArray[np.int64]


def line_changes(
    templates: TemplatedLines,
    *,
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    requests: tuple[int, int],
) -> list[LineChange]:
    """Return the templates that came more often per request, strongest first.

    `before` and `after` mark the lines to count, shape (lines,); `requests` how many requests (or seconds) each side had.
    A service without a line before is left out: nothing can be compared.
    """
    width = len(templates.texts)
    if not width:
        return []
    count_before = np.bincount(templates.template[before], minlength=width).astype(np.float64)
    count_after = np.bincount(templates.template[after], minlength=width).astype(np.float64)
    spoke_before = {templates.owners[number] for number in np.flatnonzero(count_before).tolist()}
    expected = count_before * requests[1] / requests[0]
    sigmas = (count_after - expected) / np.sqrt(BURSTINESS * (count_after + expected * requests[1] / requests[0] + 1))
    changes = []
    for number in np.flatnonzero((count_after >= MIN_LINES) & (sigmas > 1)).tolist():
        service, alarming = templates.owners[number], templates.alarming[number]
        if service not in spoke_before:
            continue
        weight = ALARMING if alarming else NEW if not count_before[number] else MORE
        size = weight * (1 - expected[number] / count_after[number])
        changes.append(
            LineChange(
                service,
                templates.texts[number],
                before=float(count_before[number] / requests[0]),
                after=float(count_after[number] / requests[1]),
                alarming=alarming,
                strength=float(strength(sigmas[number : number + 1], np.array([size]))[0]),
                places=np.flatnonzero((templates.template == number) & after),
            )
        )
    return sorted(changes, key=lambda change: -change.strength)
