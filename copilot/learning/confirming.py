"""Confirming a cause: what to suggest, and keeping what the co-pilot had stated beside what people decide."""

from dataclasses import dataclass
from datetime import datetime

from copilot.evidence.bundle import EvidenceBundle, from_json
from incidents import lifecycle
from incidents.localization.suspects import Family
from incidents.models import ConfirmedCause, Incident, Investigation


@dataclass(frozen=True, slots=True)
class Suggested:
    """One service that may have been it: its chance in [0, 1], the fault's family ("" when not clear), and why."""

    service: str
    chance: float
    family: str
    why: str


def suggestion(bundle: EvidenceBundle | None) -> tuple[Suggested, ...]:
    """Return the suspects, the leading one first; empty when nobody was suspected."""
    if bundle is None:
        return ()
    if bundle.located:
        return tuple(
            Suggested(one.service, one.confidence, "" if one.family == Family.UNCLEAR else one.family, one.why)
            for one in bundle.located.suspects
        )
    return tuple(
        Suggested(one.service, one.confidence, "", one.sentence)
        for one in bundle.hypotheses
        if one.verdict != "ruled out"
    )


def confirm(incident: Incident, *, cause: lifecycle.Cause, by: str, now: datetime) -> ConfirmedCause:
    """Record what the cause was, with what the last look had stated of its leading suspect. Raises NotPossible."""
    found = Investigation.objects.filter(incident=incident).values_list("evidence", flat=True).first()
    stated = _stated(from_json(found)) if found else None
    return lifecycle.confirm_cause(incident, cause=cause, stated=stated, by=by, now=now)


def _stated(bundle: EvidenceBundle) -> lifecycle.Stated | None:
    found = bundle.assessment
    if found is None or not found.service:
        return None
    chance = found.calibrated if found.uncorrected is None else found.uncorrected
    return lifecycle.Stated(found.service, found.certainty.value, chance, found.confidence)
