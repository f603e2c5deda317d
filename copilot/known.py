"""What is known of an incident, now or at a minute of its past: its evidence and brief as they were said then."""

from dataclasses import dataclass
from datetime import datetime

from copilot.answers.brief import Brief
from copilot.answers.brief import from_json as brief_from_json
from copilot.evidence.bundle import Evidence, EvidenceBundle
from copilot.evidence.bundle import from_json as bundle_from_json
from incidents.models import FormerLook, Incident, Investigation


@dataclass(frozen=True, slots=True)
class Known:
    """An incident with what its investigation found; `bundle` and `brief` are None until there was a first look.

    `seconds` is what that look took. `at` is None for now.
    """

    incident: Incident
    investigation: Investigation | None
    bundle: EvidenceBundle | None
    brief: Brief | None
    seconds: float = 0.0
    at: datetime | None = None

    @property
    def evidence_ids(self) -> frozenset[str]:
        """Return the ids that a citation may lead to."""
        return frozenset(self.evidence)

    @property
    def evidence(self) -> dict[str, Evidence]:
        """Return what a citation may lead to, by id."""
        return {item.id: item for item in (*self.bundle.items, *self.bundle.earlier)} if self.bundle else {}

    @property
    def is_pending(self) -> bool:
        """Say whether a look is being taken that has not ended; a former one may be shown meanwhile."""
        states = (Investigation.State.WAITING, Investigation.State.RUNNING)
        return self.at is None and (self.investigation is None or self.investigation.state in states)

    @property
    def has_failed(self) -> bool:
        """Say whether the last look came to nothing."""
        return (
            self.at is None
            and self.investigation is not None
            and (self.investigation.state == Investigation.State.FAILED)
        )


def known_of(incident: Incident, *, at: datetime | None = None) -> Known:
    """Return what is known of an incident now, or, with `at`, what was known then: the newest look that had ended."""
    investigation = getattr(incident, "investigation", None)
    look = _look(investigation, at=at)
    if look is None or not look.evidence:
        return Known(incident, investigation, None, None, at=at)
    seconds = sum(float(value) for value in look.stage_seconds.values())
    return Known(
        incident, investigation, bundle_from_json(look.evidence), brief_from_json(look.brief), seconds=seconds, at=at
    )


def _look(investigation: Investigation | None, *, at: datetime | None) -> Investigation | FormerLook | None:
    if investigation is None or at is None:
        return investigation
    if investigation.finished_at is not None and investigation.finished_at <= at:
        return investigation
    return (
        FormerLook.objects.filter(incident=investigation.incident_id, finished_at__lte=at)
        .order_by("-finished_at")
        .first()
    )
