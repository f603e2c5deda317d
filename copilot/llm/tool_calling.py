"""A conversation in which a model may call tools: what is sent each turn, and the calls that came back, read strictly.

LangChain completes the JSON of a call that was cut. Half a call must never run, so calls are read here from the raw pieces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from copilot.llm.prompts import Prompt
from copilot.llm.usage import CallUsage

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

MOST_CALLS = 16  # of one turn; a model that asks for more is told so
MOST_ARGUMENT_CHARACTERS = 20_000  # of all calls of a turn

Tool = Mapping[str, Any]  # its definition in OpenAI's form


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call as the model wrote it, unchecked: `arguments` is the text that should be JSON."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Told:
    """A call with the arguments as they were understood ({} where they were not), and what the model is told of it."""

    name: str
    arguments: Mapping[str, Any]
    result: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn: what the model wrote, its calls with their results, and what is said to it next, "" for nothing."""

    said: str
    calls: tuple[Told, ...]
    next: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is sent: the prompt, the turns so far, and the tools; with `may_call` false the model must answer in words."""

    prompt: Prompt
    exchanges: tuple[Exchange, ...]
    tools: tuple[Tool, ...]
    may_call: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """What came back whole. `finish` is "stop", "length" or "refused", as in a reply; calls of a reply cut at its length are not to be run."""

    text: str
    calls: tuple[ToolCall, ...]
    finish: str
    usage: CallUsage
    failed: tuple[CallUsage, ...] = ()


@dataclass
class CallReader:
    """Puts the pieces of streamed calls together: pieces with the same index belong to the same call."""

    _calls: dict[int | str, list[str]] = field(default_factory=dict)
    size: int = 0

    def take(self, pieces: Sequence[Mapping[str, Any]]) -> None:
        """Add the pieces of one chunk: {"index", "id", "name", "args"}, each but the first time with more of the arguments."""
        for piece in pieces:
            index = piece.get("index")
            # A server that numbers no calls sends each of them whole.
            key: int | str = index if isinstance(index, int) else f"whole {len(self._calls)}"
            call = self._calls.setdefault(key, ["", ""])
            call[0] += piece.get("name") or ""
            call[1] += piece.get("args") or ""
            self.size += len(piece.get("args") or "")

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """Return the calls in the order in which they began."""
        return tuple(ToolCall(name, arguments) for name, arguments in self._calls.values())


def messages(exchanges: Sequence[Exchange]) -> "list[BaseMessage]":
    """Return the turns as LangChain's messages. Calls get ids of our own: a provider's may be missing, or twice the same."""
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

    found: list[BaseMessage] = []
    for turn, exchange in enumerate(exchanges, start=1):
        calls = [
            {"name": told.name, "args": dict(told.arguments), "id": f"call_{turn}_{place}", "type": "tool_call"}
            for place, told in enumerate(exchange.calls, start=1)
        ]
        if calls or exchange.said:
            found.append(AIMessage(content=exchange.said, tool_calls=calls))
        found += [
            ToolMessage(content=told.result, tool_call_id=f"call_{turn}_{place}")
            for place, told in enumerate(exchange.calls, start=1)
        ]
        if exchange.next:
            found.append(HumanMessage(content=exchange.next))
    return found
