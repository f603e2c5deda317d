"""The ledger in the database: steps as rows that open pages follow, evidence with its incident, and what people say meanwhile."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction

from copilot import events
from copilot.answers import steering
from copilot.answers.investigation.describe import described
from copilot.answers.investigation.found import Found
from copilot.answers.investigation.ledger import RUNNING, Step, Stopped, finished
from copilot.evidence import bundle as bundles
from copilot.evidence import looked_up
from copilot.evidence.bundle import EvidenceBundle
from copilot.llm import spending, usage
from copilot.llm.chat_model import ChatModel, lease
from copilot.llm.purposes import Purpose
from copilot.llm.usage import CallUsage
from copilot.models import InvestigationStep, Message, ModelCall, Steering
from copilot.privacy.pseudonyms import Pseudonyms
from incidents.models import Incident, Investigation

RENEWED_SECONDS = 10.0
LEASE = timedelta(seconds=75)  # with the sweep every 30 s, a dead worker's investigation goes on within two minutes


class RowLedger:
    """Keeps an investigation's steps with its message; the message stays this worker's while it shows signs of life."""

    def __init__(
        self,
        message: Message,
        *,
        bundle: EvidenceBundle,
        model: ChatModel | None,
        pseudonyms: Pseudonyms,
        now: datetime,
    ) -> None:
        self.message, self.bundle = message, bundle
        self._model, self._pseudonyms, self._lease = model, pseudonyms, lease(attempt_budget=1)
        self._now, self._begun = now, time.monotonic()
        self._renewed = self._begun
        self._call: ModelCall | None = None
        self._plan = ""
        # What another worker left running will not end any more.
        message.steps.filter(state=RUNNING).update(state=InvestigationStep.State.FAILED, reason="Its worker died.")
        self.steps = [step_of(row) for row in message.steps.all()]

    def open(self) -> None:
        """See `Ledger`. From here on it shows a sign of life every few seconds, so that a dead worker is soon noticed."""
        self._lease = LEASE
        self._renew()
        payload: dict[str, object] = {"message": self.message.pk}
        events.publish(incident_id=self.message.incident_id, kind="answer.investigates", payload=payload)

    @property
    def now(self) -> datetime:
        """Return the present time, UTC."""
        return self._now + timedelta(seconds=time.monotonic() - self._begun)

    def plan(self, text: str) -> None:
        """See `Ledger`."""
        self._plan = text

    def begin(self, steps: Sequence[Step]) -> None:
        """See `Ledger`."""
        with transaction.atomic():
            for step in steps:
                row = InvestigationStep.objects.create(
                    message=self.message,
                    number=step.number,
                    turn=step.turn,
                    plan=self._plan,
                    tool=step.tool,
                    arguments=dict(step.values),
                    state=step.state,
                    reason=step.reason,
                    call=self._call,
                    started_at=self.now,
                )
                self._plan = ""
                self._tell(row)
        self.steps += steps

    def end(self, step: Step, found: Found) -> Step:
        """See `Ledger`."""
        with transaction.atomic():
            items = self._keep_evidence(found)
            ended = finished(step, found, items, self._pseudonyms)
            row = self.message.steps.get(number=step.number)
            row.state, row.reason, row.note = ended.state, ended.reason, ended.note
            row.evidence, row.lines, row.seconds = list(ended.evidence), "\n".join(ended.lines), ended.seconds
            row.save()
            self._tell(row)
        self.steps[step.number - 1] = ended
        return ended

    def spend(self, usage_of_call: CallUsage) -> None:
        """See `Ledger`."""
        self._call = usage.record(
            usage_of_call, purpose=Purpose.INVESTIGATION, message=self.message, started_at=self.now
        )

    def why_not(self) -> str:
        """See `Ledger`."""
        if looked_up.is_full(self.bundle):
            return f"{looked_up.MOST} items were looked up for this incident, as many as it keeps."
        return spending.why_no_turn(self.message, self._model, now=self.now) if self._model else ""

    def heard(self) -> list[str]:
        """See `Ledger`."""
        with transaction.atomic():
            said = list(self.message.steerings.select_for_update().filter(heard=False).exclude(text=""))
            Steering.objects.filter(pk__in=[one.pk for one in said]).update(heard=True)
        return [one.text for one in said]

    def check(self) -> None:
        """See `Ledger`; renews the lease, too."""
        if why := steering.why_stopped(self.message):
            raise Stopped(why)
        if time.monotonic() - self._renewed >= RENEWED_SECONDS:
            self._renew()

    def _renew(self) -> None:
        self._renewed = time.monotonic()
        until = self.now + self._lease
        held = Message.objects.filter(
            pk=self.message.pk, state=Message.State.STREAMING, claimed_until=self.message.claimed_until
        ).update(claimed_until=until)
        if not held:
            raise Stopped("Another worker has taken this answer over.")
        self.message.claimed_until = until

    def _keep_evidence(self, found: Found) -> tuple[bundles.Evidence, ...]:
        """Number the items among the incident's own, as they are now, and keep them with it."""
        if not found.items:
            return ()
        # The incident first, as everybody locks who publishes an event.
        Incident.objects.select_for_update().only("pk").get(pk=self.message.incident_id)
        row = Investigation.objects.select_for_update().get(incident_id=self.message.incident_id)
        kept, items = looked_up.added(bundles.from_json(row.evidence), found.items, self._pseudonyms)
        Investigation.objects.filter(pk=row.pk).update(evidence=bundles.to_json(kept))
        new = tuple(item for item in items if self.bundle.get(item.id) is None)
        self.bundle = replace(self.bundle, earlier=(*self.bundle.earlier, *new))
        return items

    def _tell(self, row: InvestigationStep) -> None:
        events.publish(incident_id=self.message.incident_id, kind="answer.step", payload=told(row))


def step_of(row: InvestigationStep) -> Step:
    """Return a row as the step that it keeps."""
    return Step(
        number=row.number,
        turn=row.turn,
        tool=row.tool,
        values=row.arguments,
        state=row.state,
        reason=row.reason,
        evidence=tuple(row.evidence),
        note=row.note,
        lines=tuple(row.lines.split("\n")) if row.lines else (),
        seconds=row.seconds,
    )


def told(row: InvestigationStep) -> dict[str, object]:
    """Return a step as pages are told of it."""
    return {
        "message": row.message_id,
        "number": row.number,
        "turn": row.turn,
        "plan": row.plan,
        "said": described(row.tool, row.arguments),
        "state": row.state,
        "reason": row.reason,
        "cites": list(row.evidence),
        "seconds": row.seconds,
    }
