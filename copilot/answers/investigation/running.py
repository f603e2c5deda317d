"""Runs the calls of one turn: each checked, repeated ones refused, the others at the same time."""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from django.db import DatabaseError, connections

from copilot.answers.investigation import toolbox
from copilot.answers.investigation.conversation import pages
from copilot.answers.investigation.found import Found, NothingThere, Sources
from copilot.answers.investigation.ledger import DONE, FAILED, NOTHING, REFUSED, Ledger, Step, repeated
from copilot.answers.investigation.scope import Scope
from copilot.answers.investigation.toolbox import READ_MORE, Call, CallRefused
from copilot.llm.plain_text import said_by_model
from copilot.llm.tool_calling import ToolCall
from copilot.privacy.pseudonyms import HidingFailed
from incidents.telemetry.backend import TelemetryError

AT_ONCE = 4
TOOL_SECONDS = 20.0
POLL_SECONDS = 0.25
MOST_CALLS = 8  # of one turn


@dataclass(frozen=True)
class Bench:
    """Where calls are run: what they may name, whom they ask, and where they are written down."""

    scope: Scope
    sources: Sources
    ledger: Ledger

    @property
    def end_minute(self) -> int:
        """Return the minute that a window without an end lasts to."""
        return max(round((self.scope.end - self.scope.start).total_seconds() / 60), 1)


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many calls of a turn were refused: `malformed` are no calls at all, `repeated` ask for what is known."""

    malformed: int = 0
    repeated: int = 0


def run(raws: Sequence[ToolCall], bench: Bench, *, turn: int, room: int, cut: bool) -> tuple[list[Step], Refusals]:
    """Run the calls of a turn and return their steps in order, with how many were refused; nothing that was refused is run.

    `room` is how many steps are left; `cut` says that the reply ended at its length, so that no call in it can be trusted. Raises Stopped.
    """
    steps: list[Step] = []
    to_run: list[tuple[int, Call]] = []
    refused = {"malformed": 0, "repeated": 0}
    known = list(bench.ledger.steps)
    for raw in raws[:room]:
        number = len(known) + 1
        try:
            call = _read(raw, bench, place=len(steps), cut=cut)
            if twin := repeated(call, known, end_minute=bench.end_minute):
                refused["repeated"] += 1
                found = f" and found {', '.join(twin.evidence)}" if twin.evidence else ""
                raise CallRefused(
                    f"Step {twin.number} asked for nearly the same{found}. Ask for something else, or answer."
                )
            step = Step(number, turn, call.tool, call.values)
            to_run.append((len(steps), call))
        except CallRefused as refusal:
            step = Step(number, turn, said_by_model(raw.name, limit=60), {}, REFUSED, said_by_model(str(refusal)))
        steps.append(step)
        known.append(step)
    refused["malformed"] = sum(step.state == REFUSED for step in steps) - refused["repeated"]
    bench.ledger.begin(steps)
    for place, step in _at_once([(steps[place], call) for place, call in to_run], bench):
        steps[to_run[place][0]] = step
    return steps, Refusals(**refused)


def look_up(call: Call, bench: Bench, *, turn: int) -> Step:
    """Run one call that code has chosen."""
    step = Step(len(bench.ledger.steps) + 1, turn, call.tool, call.values)
    bench.ledger.begin([step])
    return _at_once([(step, call)], bench)[0][1]


def _read(raw: ToolCall, bench: Bench, *, place: int, cut: bool) -> Call:
    if cut:
        raise CallRefused(
            "The reply was cut at its greatest length, so this call may not be whole. Call again, fewer at once."
        )
    if place >= MOST_CALLS:
        raise CallRefused(f"At most {MOST_CALLS} calls are run in one turn.")
    return toolbox.read(raw, bench.scope)


def _at_once(waiting: Sequence[tuple[Step, Call]], bench: Bench) -> list[tuple[int, Step]]:
    """Run the calls side by side; return (place, ended step) in their order. Raises Stopped.

    What they found is numbered in the order of the calls, whichever ends first: the same calls give the same ids.
    """
    ended: list[tuple[int, Step]] = []
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="investigation")
    begun = time.monotonic()
    try:
        running = deque(pool.submit(_one, step, call, bench) for step, call in waiting)
        while running:
            wait([running[0]], timeout=POLL_SECONDS)
            is_late = time.monotonic() - begun > TOOL_SECONDS
            while running and (running[0].done() or is_late):
                place, future = len(ended), running.popleft()
                step, found = future.result() if future.done() else (_slow(waiting[place][0]), Found())
                ended.append((place, _ended(step, found, bench)))
            bench.ledger.check()
    finally:
        # A call that hangs is left to the time-out of what it asks; its result goes nowhere.
        pool.shutdown(wait=False, cancel_futures=True)
    return ended


def _slow(step: Step) -> Step:
    return replace(step, state=FAILED, reason=f"It took longer than {TOOL_SECONDS:.0f} s.", seconds=TOOL_SECONDS)


def _one(step: Step, call: Call, bench: Bench) -> tuple[Step, Found]:
    begun = time.monotonic()
    found, state, reason = Found(), DONE, ""
    try:
        found = _page(call, bench) if call.tool == READ_MORE else toolbox.run(call, bench.scope, bench.sources)
    except NothingThere as nothing:
        state, reason = NOTHING, str(nothing)
    except CallRefused as refusal:
        state, reason = REFUSED, str(refusal)
    except TelemetryError as error:
        state, reason = FAILED, str(error)
    except DatabaseError as error:
        state, reason = FAILED, f"The database could not answer ({type(error).__name__})."
    finally:
        connections.close_all()  # those of this thread, which ends
    return replace(step, state=state, reason=reason, seconds=round(time.monotonic() - begun, 3)), found


def _page(call: Call, bench: Bench) -> Found:
    wanted = call.values
    step = next(step for step in bench.ledger.steps if step.number == wanted["result"])
    if wanted["page"] > pages(step):
        raise CallRefused(f"Result {step.number} has {pages(step)} pages.")
    items = tuple(item for id_ in step.evidence if (item := bench.ledger.bundle.get(id_)) is not None)
    return Found(items)


def _ended(step: Step, found: Found, bench: Bench) -> Step:
    try:
        ended = bench.ledger.end(step, found)
    except HidingFailed as error:
        ended = bench.ledger.end(replace(step, state=FAILED, reason=f"{error} It is not shown to the model."), Found())
    bench.scope.learn(item for id_ in ended.evidence if (item := bench.ledger.bundle.get(id_)) is not None)
    if ended.lines:
        bench.scope.results[ended.number] = len(ended.lines)
    return ended
