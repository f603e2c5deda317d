"""Composes an answer: what code can say comes first, then what the model adds, each sentence checked as soon as it is finished."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from copilot.answers import citations, prompting, verification
from copilot.answers.claim_stream import LONGEST_SENTENCE, ClaimReader, RawClaim, Unreadable
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.answers.focus import focus_on
from copilot.answers.prompting import Mask, Turn
from copilot.evidence.bundle import EvidenceBundle
from copilot.llm.chat_model import ChatModel
from copilot.llm.failures import CallEnded, ModelFailed, StreamCut
from copilot.llm.plain_text import said_by_model
from copilot.llm.prompts import Prompt
from copilot.llm.redaction import RedactionFailed, masked
from copilot.llm.usage import CallUsage
from copilot.llm.user_input import told

ATTEMPTS = 2
MOST_CLAIMS = 6  # of the model's; the schema asks for fewer, not every server obeys it
MOST_CHARACTERS = 400  # of a sentence
NO_ANSWER = "The model gave no answer."
_SENTENCE_END = re.compile(r"(?<=[.!?]) ")
LONGEST_WORD = 12  # that a cut may have left out
FEWEST_WORDS = 3  # of a sentence; a small model now and then writes a word alone
SAME = 0.85  # of a sentence's words are in one that is already there: it says nothing new


class State(StrEnum):
    """How an answer ended; the values are those of `Message.State`."""

    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """The checked claims in order. `failure` says why there is no whole answer; `temporary` whether trying again may help."""

    claims: tuple[CheckedClaim, ...]
    state: State
    failure: str = ""
    temporary: bool = False
    retry_after: timedelta | None = None
    calls: tuple[CallUsage, ...] = ()


class Listener(Protocol):
    """Who follows an answer while it is written."""

    def sentence(self, position: int, text: str, cites: tuple[str, ...]) -> None:
        """Take the sentence at a position as far as it is written."""

    def claim(self, position: int, claim: CheckedClaim) -> None:
        """Take a finished and checked sentence; it replaces what was at its position."""


@dataclass
class Draft:
    """The answer as it grows; what is added is checked against `bundle` as it is then."""

    bundle: EvidenceBundle
    listener: Listener
    claims: list[CheckedClaim] = field(default_factory=list)
    calls: list[CallUsage] = field(default_factory=list)

    def add(self, claim: CheckedClaim) -> None:
        """Add a checked claim and show it."""
        self.listener.claim(len(self.claims), claim)
        self.claims.append(claim)

    def said(self, text: str) -> str:
        """Return what a model writes as it may be shown: without the prompt's own marks, see `said_by_model`."""
        return said_by_model(told(text.replace(prompting.marker_of(self.bundle), "")), limit=MOST_CHARACTERS)

    def add_raw(self, raw: RawClaim) -> None:
        """Check a sentence of the model and add it, unless an earlier one says the same."""
        text = _whole_sentences(self.said(raw.text))
        if len(text.split()) >= FEWEST_WORDS and not _repeats(text, [shown.text for shown in self.claims]):
            self.add(replace(verification.check(text, raw.cites, self.bundle), by_model=True))

    def rewind(self, length: int) -> None:
        """Take back all claims but the first `length`; what follows is shown in their place."""
        del self.claims[length:]


class Writing:
    """One reply of a model while it comes in: finished sentences are added to the draft, the one being written is shown."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._start = len(draft.claims)
        self._reader = ClaimReader()

    def feed(self, piece: str) -> None:
        """Take a piece of text."""
        finished, unfinished = self._reader.feed(piece)
        for raw in finished:
            if self._has_room:
                self._draft.add_raw(raw)
        if unfinished is not None and self._has_room:
            text, cites = citations.split(self._draft.said(unfinished.text), unfinished.cites)
            self._draft.listener.sentence(len(self._draft.claims), text, cites)

    def end(self) -> None:
        """Say that the reply is whole. Raises Unreadable when it is not the JSON that was asked for."""
        self._reader.end()

    @property
    def _has_room(self) -> bool:
        return len(self._draft.claims) - self._start < MOST_CLAIMS


def compose(
    *,
    question: str,
    bundle: EvidenceBundle,
    history: Sequence[Turn],
    chat_model: ChatModel | None,
    listener: Listener,
    mask: Mask,
) -> Answer:
    """Answer a question on a bundle; an empty question asks for the explanation. Never raises for what a model does.

    Without a model the sentences that code computed are the answer. `mask` is applied to the question and to whatever is sent; when it fails,
    nothing is sent and the answer says why.
    """
    draft = Draft(bundle, listener)
    try:
        question = masked(question, mask=mask)
    except RedactionFailed as error:
        return Answer((), State.FAILED, failure=str(error))
    focus = focus_on(question, bundle)
    for claim in focus.computed:
        draft.add(claim)
    if chat_model is None:
        for claim in closest(focus.relevant, bundle) if not draft.claims else ():
            draft.add(claim)
        return Answer(tuple(draft.claims), State.DONE)
    try:
        prompt = prompting.write(
            question, bundle=bundle, focus=focus, history=history, budget=chat_model.budget, mask=mask
        )
    except RedactionFailed as error:
        return Answer(tuple(draft.claims), State.FAILED, failure=str(error))
    return _narrate(draft, chat_model, prompt)


def _narrate(draft: Draft, chat_model: ChatModel, prompt: Prompt) -> Answer:
    """Have the model write, at most twice; the better attempt stays."""
    computed = len(draft.claims)
    best: list[CheckedClaim] = []
    failure: ModelFailed | Unreadable | None = None
    for _ in range(ATTEMPTS):
        draft.rewind(computed)
        failure = _attempt(draft, chat_model, prompt)
        best = max(best, draft.claims[computed:], key=len)
        # What was cut or unreadable may come whole the second time; the rest would fail in the same way, or is worth a longer wait.
        if not isinstance(failure, StreamCut | Unreadable) or not getattr(failure, "retry_allowed", True):
            break
    if draft.claims[computed:] != best:
        draft.rewind(computed)
        for claim in best:
            draft.add(claim)
    return _ended(draft, failure, written=bool(best))


def _attempt(draft: Draft, chat_model: ChatModel, prompt: Prompt) -> ModelFailed | Unreadable | None:
    """Let the model write once; return why its reply is not whole, None when it is."""
    writing = Writing(draft)
    try:
        reply = chat_model.reply(prompt, on_text=writing.feed)
    except ModelFailed as failure:
        draft.calls += failure.before
        if failure.usage is not None:
            draft.calls.append(failure.usage)
        return failure
    draft.calls += (*reply.failed, reply.usage)
    if reply.finish == "length":
        return ModelFailed("The answer was longer than the model may write; the finished sentences are kept.")
    if reply.finish == "refused" or not reply.text.strip():
        return ModelFailed(NO_ANSWER)
    try:
        writing.end()
    except Unreadable as unreadable:
        return unreadable
    return None


def _ended(draft: Draft, failure: ModelFailed | Unreadable | None, *, written: bool) -> Answer:
    claims, calls = tuple(draft.claims), tuple(draft.calls)
    if failure is None:
        # An empty list of claims: the model had nothing to add. That is an answer only when code had one.
        return Answer(claims, State.DONE, failure="" if claims else NO_ANSWER, calls=calls)
    if written or (claims and isinstance(failure, CallEnded)):
        return Answer(claims, State.PARTIAL, failure=str(failure), calls=calls)
    temporary, retry_after = (
        (failure.temporary and failure.retry_allowed, failure.retry_after)
        if isinstance(failure, ModelFailed)
        else (False, None)
    )
    return Answer(claims, State.FAILED, str(failure), temporary, retry_after, calls)


def closest(relevant: Sequence[str], bundle: EvidenceBundle) -> list[CheckedClaim]:
    """Return what the three most telling items state, as claims; one that says so without any."""
    items = [item for id_ in relevant[:3] if (item := bundle.get(id_)) is not None]
    if not items:
        return [CheckedClaim("No evidence item answers this question.", (), Verdict.SUPPORTED)]
    return [CheckedClaim(item.statement, (item.id,), Verdict.SUPPORTED) for item in items]


def _repeats(text: str, shown: Sequence[str]) -> bool:
    """Return whether nearly all of its words are in one of the sentences shown, or in all of them together."""
    own = _words(text)
    told = [_words(sentence) for sentence in shown]
    return bool(own) and any(len(own & there) / len(own) >= SAME for there in (*told, set().union(*told)))


def _whole_sentences(text: str) -> str:
    """Return a text without what its greatest length left of a last sentence, and each of its sentences once."""
    # What was cut between two words is a little shorter than the greatest length.
    is_cut = len(text) >= LONGEST_SENTENCE - LONGEST_WORD and not text.endswith((".", "!", "?", "”", "…"))
    *whole, last = dict.fromkeys(_SENTENCE_END.split(text))
    if is_cut and whole:
        return " ".join(whole)
    return " ".join((*whole, f"{last.rpartition(' ')[0]} …" if is_cut else last))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[\w.%:-]{2,}", text.casefold()))
