"""An investigation's kept steps answer in place of the telemetry: another model, or another prompt, meets the very same results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from copilot.answers.investigation.found import Found, NothingThere
from copilot.answers.investigation.ledger import DONE, Step, alike
from copilot.evidence.bundle import EvidenceBundle
from incidents.telemetry.datamodel import SeriesKey

NOT_RECORDED = "This was not looked up when the answer was written, and only what was is answered now."


@dataclass(frozen=True)
class Recorded:
    """The steps of one answer, and the evidence that is pinned with it."""

    steps: Sequence[Step]
    bundle: EvidenceBundle

    @property
    def series(self) -> tuple[SeriesKey, ...]:
        """Return the series that were asked for: what may be asked for again."""
        asked = [step.values for step in self.steps if step.tool == "query_metrics"]
        return tuple(_series(values) for values in asked if "service" in values)

    def look(self, tool: str, values: Mapping[str, Any]) -> Found:
        """Return what a call found then. Raises NothingThere, also for what nobody asked then."""
        minutes = (self.bundle.incident_end - self.bundle.incident_start).total_seconds() / 60
        for step in self.steps:
            if step.tool != tool or not step.values or not alike(values, step.values, max(round(minutes), 1)):
                continue
            if step.state != DONE:
                raise NothingThere(step.reason)
            items = tuple(item for id_ in step.evidence if (item := self.bundle.get(id_)) is not None)
            return Found(items, step.lines, step.note)
        raise NothingThere(NOT_RECORDED)


def _series(values: Mapping[str, Any]) -> SeriesKey:
    operation = values.get("operation")
    return SeriesKey(values["service"], values["metric"], json.dumps({"operation": operation} if operation else {}))
