"""The loop: the model looks things up until it can answer, within its budget; its answer is checked like any other.

Whatever ends the loop early, what was found stays: the model is asked to answer with it, or code says it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from copilot.answers import composition
from copilot.answers.claim_stream import Unreadable
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.answers.composition import Answer, Draft, Listener, State, Writing
from copilot.answers.focus import focus_on
from copilot.answers.investigation import conversation, plan, running, toolbox
from copilot.answers.investigation.conversation import Asked, Mask
from copilot.answers.investigation.found import Sources
from copilot.answers.investigation.ledger import DONE, Ledger, Step, Stopped
from copilot.answers.investigation.running import Bench
from copilot.answers.investigation.scope import scope_of
from copilot.answers.prompting import Turn as Earlier
from copilot.evidence.bundle import EvidenceBundle
from copilot.llm.chat_model import ChatModel
from copilot.llm.failures import ModelFailed, StreamCut
from copilot.llm.plain_text import clean, said_by_model
from copilot.llm.redaction import RedactionFailed, masked, redact
from copilot.llm.tool_calling import Exchange, Told, Turn

ATTEMPTS = 2  # of a turn whose stream was cut
PLAN = 300  # characters
STEERING = 400
ITEMS_SAID = 3  # by code, when the model does not come to an answer
AS_JSON = 'Reply with the JSON {"claims": [...]} alone, now.'
CLOSING = "No further calls: {why} Answer with what you have, as JSON, and say what is not known."


@dataclass(frozen=True, slots=True)
class Limits:
    """Where an investigation ends. `seconds` are for all of it, `looking` the share of them until the model must answer."""

    steps: int = 25
    seconds: float = 270.0
    looking: float = 0.7
    malformed: int = 2  # turns with calls that are none; they are told why
    repeated: int = 3  # turns that ask again for what is known


@dataclass(frozen=True)
class Desk:
    """One question with all that its investigation needs."""

    question: str
    sources: Sources
    ledger: Ledger
    mask: Mask
    history: Sequence[Earlier] = ()
    limits: Limits = field(default_factory=Limits)


class TimeUp(Stopped):
    """The time is used up."""


def investigate(desk: Desk, *, model: ChatModel | None, listener: Listener) -> tuple[Answer, EvidenceBundle]:
    """Answer a question; return the answer and what it rests on. Never raises for what a model does.

    A model that can call tools looks things up itself; for any other, and without one, code does, and then the answer is composed.
    """
    try:
        desk = replace(desk, question=masked(desk.question, mask=desk.mask))
    except RedactionFailed as error:
        return Answer((), State.FAILED, failure=str(error)), desk.ledger.bundle
    if model is not None and model.can_call_tools:
        desk.ledger.open()
        found = _Run(desk, model, listener).answer()
        return found, _rests_on(desk.ledger)
    plan.look_up(desk.question, desk.sources, desk.ledger)
    bundle = _rests_on(desk.ledger)
    found = composition.compose(
        question=desk.question,
        bundle=bundle,
        history=desk.history,
        chat_model=model,
        listener=listener,
        mask=desk.mask,
    )
    return found, bundle


def _rests_on(ledger: Ledger) -> EvidenceBundle:
    ids = tuple(dict.fromkeys(id_ for step in ledger.steps for id_ in step.evidence))
    return replace(ledger.bundle, looked_up=ids)


class _Run:
    """One investigation under way."""

    def __init__(self, desk: Desk, model: ChatModel, listener: Listener) -> None:
        self.desk, self.model, self.ledger = desk, model, desk.ledger
        self.begun = time.monotonic()
        self.draft = Draft(self.ledger.bundle, listener)
        self.asked = Asked(desk.question, focus_on(desk.question, self.ledger.bundle), desk.history)
        self.exchanges: list[Exchange] = []
        self.turns = max((step.turn for step in self.ledger.steps), default=0)
        self.malformed = self.repeated = 0
        self.bench = Bench(scope_of(desk.sources), desk.sources, self.ledger)
        self.bench.scope.results.update({step.number: len(step.lines) for step in self.ledger.steps if step.lines})
        self.tools = toolbox.definitions(self.bench.scope)

    def answer(self) -> Answer:
        """Go on until there is an answer."""
        for claim in self.asked.focus.computed:
            self.draft.add(claim)
        computed = len(self.draft.claims)
        try:
            return self._look(computed)
        except Stopped as stopped:
            return self._by_code(computed, str(stopped))
        except RedactionFailed as error:
            return self._by_code(computed, str(error))
        except ModelFailed as failure:
            return self._after(failure, computed)

    def _look(self, computed: int) -> Answer:
        """Take turns until the model answers or must. Raises Stopped, RedactionFailed, ModelFailed."""
        while True:
            why = self._why_end()
            if why and (not_asked := self.ledger.why_not()):
                return self._by_code(computed, not_asked)
            self._listen(CLOSING.format(why=why) if why else "")
            turn = self._turn(computed, may_call=not why)
            if turn.calls and not why:
                self.draft.rewind(computed)
                self._call(turn)
                continue
            if not why and self._listen(""):
                self.draft.rewind(computed)
                continue
            if self._is_whole(turn, computed):
                return self._ended(why)
            if why or (self.exchanges and self.exchanges[-1].next == AS_JSON):
                return self._by_code(computed, why or composition.NO_ANSWER)
            self.draft.rewind(computed)
            self.exchanges.append(Exchange(clean(turn.text, limit=PLAN) or "…", (), AS_JSON))

    def _turn(self, computed: int, *, may_call: bool) -> Turn:
        """Ask the model, once more when its reply was cut. Nothing of a reply that is not whole is kept but its sentences."""
        self.draft.bundle = self.ledger.bundle
        sent = conversation.write(
            self.asked,
            bundle=self.ledger.bundle,
            exchanges=self.exchanges,
            steps=self.ledger.steps,
            tools=self.tools,
            mask=self.desk.mask,
        )
        sent = replace(sent, may_call=may_call)
        for attempt in range(1, ATTEMPTS + 1):
            self.draft.rewind(computed)
            try:
                turn = self.model.turn(sent, on_text=Writing(self.draft).feed, watch=self._watch)
            except ModelFailed as failure:
                for usage in (*failure.before, *([failure.usage] if failure.usage else ())):
                    self.ledger.spend(usage)
                if not isinstance(failure, StreamCut) or not failure.retry_allowed or attempt == ATTEMPTS:
                    raise
            else:
                self.ledger.spend(turn.usage)
                return turn
        raise AssertionError("unreachable")

    def _call(self, turn: Turn) -> None:
        """Run a turn's calls and keep what the model is told of them."""
        self.turns += 1
        if plan := said_by_model(turn.text, limit=PLAN):
            self.ledger.plan(plan)
        room = max(self.desk.limits.steps - len(self.ledger.steps), 0)
        steps, refused = running.run(turn.calls, self.bench, turn=self.turns, room=room, cut=turn.finish == "length")
        self.malformed += bool(refused.malformed)
        self.repeated += bool(refused.repeated)
        told = tuple(
            Told(step.tool if step.tool in toolbox.TOOLS else "unknown_tool", step.values, self._told(step))
            for step in steps
        )
        self.exchanges.append(Exchange(clean(turn.text, limit=PLAN), told))

    def _told(self, step: Step) -> str:
        """Return what the model is told of a step; of a further page, that page of the step it belongs to."""
        page, shown = 1, step
        if step.tool == toolbox.READ_MORE and step.state == DONE:
            page, shown = step.values["page"], self.ledger.steps[step.values["result"] - 1]
        try:
            return redact(conversation.result_of(shown, self.ledger.bundle, page=page), mask=self.desk.mask)
        except RedactionFailed as error:
            return f"Not shown: {error}"

    def _listen(self, closing: str) -> bool:
        """Take what people have said into the next turn, and `closing`; return whether anybody said anything."""
        heard = [redact(clean(words, limit=STEERING), mask=self.desk.mask) for words in self.ledger.heard()]
        said = [f"The engineer says: {words}" for words in heard]
        if text := "\n".join([*said, closing] if closing else said):
            last = self.exchanges.pop() if self.exchanges else Exchange("", ())
            self.exchanges.append(replace(last, next="\n".join(filter(None, (last.next, text)))))
        return bool(heard)

    def _why_end(self) -> str:
        """Return why no more may be looked up, "" while it may."""
        limits = self.desk.limits
        if len(self.ledger.steps) >= limits.steps:
            return f"{limits.steps} steps were taken, as many as one question may."
        if time.monotonic() - self.begun > limits.seconds * limits.looking:
            return f"The time for looking things up ({limits.seconds * limits.looking:.0f} s) is used up."
        if self.malformed > limits.malformed:
            return f"The model's calls could not be read in {self.malformed} turns."
        if self.repeated > limits.repeated:
            return "The model asked again and again for what it had been told."
        return self.ledger.why_not()

    def _watch(self) -> None:
        self.ledger.check()
        if time.monotonic() - self.begun > self.desk.limits.seconds:
            raise TimeUp(f"The time for one question ({self.desk.limits.seconds:.0f} s) is used up.")

    def _is_whole(self, turn: Turn, computed: int) -> bool:
        """Return whether the model has answered: sentences that came before a broken end count."""
        if turn.finish != "stop":
            return len(self.draft.claims) > computed
        check = Writing(Draft(self.draft.bundle, _Nobody()))
        check.feed(turn.text)
        try:
            check.end()
        except Unreadable:
            return len(self.draft.claims) > computed
        return bool(self.draft.claims)

    def _ended(self, why: str) -> Answer:
        claims = tuple(self.draft.claims)
        return Answer(claims, State.PARTIAL if why else State.DONE, why)

    def _by_code(self, computed: int, why: str) -> Answer:
        """Answer with what there is: the model's checked sentences, or what the newest items state."""
        if len(self.draft.claims) <= computed:
            for claim in self._found() or (
                [] if computed else composition.closest(self.asked.focus.relevant, self.draft.bundle)
            ):
                self.draft.add(claim)
        return Answer(tuple(self.draft.claims), State.PARTIAL, why)

    def _found(self) -> list[CheckedClaim]:
        bundle, said = self.ledger.bundle, {claim.text for claim in self.draft.claims}
        ids = dict.fromkeys(id_ for step in reversed(self.ledger.steps) for id_ in step.evidence[:1])
        items = [item for id_ in ids if (item := bundle.get(id_)) is not None and item.statement not in said]
        return [CheckedClaim(item.statement, (item.id,), Verdict.SUPPORTED) for item in items[:ITEMS_SAID]]

    def _after(self, failure: ModelFailed, computed: int) -> Answer:
        """Answer without the model that failed: with what was found, by the next model, or not at all."""
        if self.ledger.steps or len(self.draft.claims) > computed:
            return self._by_code(computed, str(failure))
        if self.model.others is not None:
            return composition.compose(
                question=self.desk.question,
                bundle=self.ledger.bundle,
                history=self.desk.history,
                chat_model=self.model.others,
                listener=self.draft.listener,
                mask=self.desk.mask,
            )
        temporary = failure.temporary and failure.retry_allowed
        return Answer(tuple(self.draft.claims), State.FAILED, str(failure), temporary, failure.retry_after)


class _Nobody:
    """Follows a reply that is only looked at."""

    def sentence(self, position: int, text: str, cites: tuple[str, ...]) -> None:
        """See `composition.Listener`."""

    def claim(self, position: int, claim: CheckedClaim) -> None:
        """See `composition.Listener`."""
