"""From leads to suspects: what one service does to its callers is not held against them; then the evidence is added up."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.localization.findings import CHANGE, SILENCE, Lead
from incidents.localization.metrics import Sort
from incidents.localization.topology import Edges, downstream
from incidents.localization.traces import TraceView

# A lead explains another when it is at least this strong in comparison, and is found below this share of the other's spans.
COMPARABLE = 0.5
EXPLAINS = 0.5
# A caller's latency or failures, when something it depends on is as bad, are a symptom for the most part.
SYMPTOM = 0.3
# A second independent aspect of the same service adds half of its strength, a third a quarter: aspects are never quite independent.
DISCOUNT = 0.5
SPREADING = frozenset({Sort.LATENCY.value, Sort.FAILURE.value})
# Below this, a lead is what healthy systems show every minute.
LEAST_STRENGTH = 0.5


@dataclass(frozen=True)
class Explained:
    """A lead that another service accounts for."""

    lead: Lead
    by: str
    because: Lead


@dataclass(frozen=True)
class Verdict:
    """What remains: for each service its leads, strongest first, and its total; and what was explained away."""

    leads: Mapping[str, Sequence[Lead]]
    totals: Mapping[str, float]
    explained: Sequence[Explained]


def judge(leads: Sequence[Lead], *, view: TraceView, edges: Edges) -> Verdict:
    """Return the verdict over all leads.

    A lead shown by spans is weakened by the share of these spans below which a comparable lead of another service is found: the fault
    is where it is deepest. A change counts only where something else speaks against the service.
    A lead of a metric that spreads to callers is weakened when a service further down shows it as strongly.
    """
    worth = [lead for lead in leads if lead.strength >= LEAST_STRENGTH]
    below = _Below(view)
    kept: list[Lead] = []
    explained: list[Explained] = []
    for lead in worth:
        cause, share = _deeper(lead, worth, below) if len(lead.rows) else _spread(lead, worth, edges)
        if cause is None:
            kept.append(lead)
            continue
        kept.append(lead.weakened(1 - share))
        if share >= EXPLAINS:
            explained.append(Explained(lead, cause.service, cause))
    by_service: dict[str, list[Lead]] = defaultdict(list)
    for lead in sorted(kept, key=lambda one: (-one.strength, one.service, one.finding.statistic)):
        by_service[lead.service].append(lead)
    accused = {service: _with_changes(held) for service, held in by_service.items()}
    accused = {service: held for service, held in accused.items() if held}
    return Verdict(accused, {service: _total(held) for service, held in accused.items()}, explained)


def _with_changes(held: Sequence[Lead]) -> list[Lead]:
    """Return the leads with changes last, each at most as strong as the strongest lead besides; nothing when there are only changes."""
    others = [lead for lead in held if lead.aspect != CHANGE]
    if not others:
        return []
    return others + [
        lead.weakened(min(1.0, others[0].strength / lead.strength)) for lead in held if lead.aspect == CHANGE
    ]


class _Below:
    """Which spans have a lead's below them, worked out once a lead."""

    def __init__(self, view: TraceView) -> None:
        self._view = view
        self._known: dict[int, NDArray[np.bool_]] = {}

    def of(self, lead: Lead) -> NDArray[np.bool_]:
        found = self._known.get(id(lead))
        if found is None:
            found = self._known[id(lead)] = self._view.descends_to(lead.rows)
        return found


def _deeper(lead: Lead, leads: Sequence[Lead], all_below: _Below) -> tuple[Lead | None, float]:
    found: tuple[Lead | None, float] = (None, 0.0)
    for other in leads:
        if other.service == lead.service or not len(other.rows) or other.strength < COMPARABLE * lead.strength:
            continue
        if other.rows is lead.rows:  # one slow hop, held against both ends: neither lies below the other
            continue
        below = all_below.of(other)[lead.rows]
        if other.aspect == SILENCE:
            below = below | np.isin(lead.rows, other.rows)  # the silent service itself left no spans
        share = float(np.mean(below))
        if share > found[1]:
            found = (other, share)
    return found


def _spread(lead: Lead, leads: Sequence[Lead], edges: Edges) -> tuple[Lead | None, float]:
    if lead.aspect not in SPREADING:
        return None, 0.0
    below = downstream(lead.service, edges=edges) - {lead.service}
    culprits = [
        other
        for other in leads
        if other.service in below
        and other.aspect in SPREADING | {Sort.RESOURCE.value}
        and other.strength >= 0.9 * lead.strength
    ]
    return (max(culprits, key=lambda other: other.strength), 1 - SYMPTOM) if culprits else (None, 0.0)


def _total(held: Sequence[Lead]) -> float:
    """Add up the strongest lead of each aspect, the second at a half, the third at a quarter, and so on."""
    best: dict[str, float] = {}
    for lead in held:
        best[lead.aspect] = max(best.get(lead.aspect, 0.0), lead.strength)
    return sum(strength * DISCOUNT**place for place, strength in enumerate(sorted(best.values(), reverse=True)))
