"""A model that replays prepared replies: for tests, and for trying the pages without a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from copilot.llm.chat_model import Reply
from copilot.llm.failures import ModelFailed
from copilot.llm.prompts import Prompt, PromptBudget
from copilot.llm.tool_calling import Conversation, Turn
from copilot.llm.usage import CallUsage


@dataclass
class ScriptedModel:
    """Gives one reply a call, in order. A reply is its pieces; a failure among them is raised where it stands.

    `finish` is what each whole reply ends with; `prompts` keeps what was asked. Raises IndexError after the last reply.
    """

    replies: list[Sequence[str | ModelFailed]]
    finish: str = "stop"
    name: str = "scripted"
    can_call_tools: bool = False
    budget: PromptBudget = field(default_factory=lambda: PromptBudget(whole=1200, tail=330))
    prompts: list[Prompt] = field(default_factory=list)

    def turn(self, conversation: Conversation, *, on_text: Callable[[str], None], watch: Callable[[], None]) -> Turn:
        """Take a turn in words: the next reply, without calls."""
        watch()
        reply = self.reply(conversation.prompt, on_text=on_text)
        return Turn(reply.text, (), reply.finish, reply.usage)

    @property
    def others(self) -> None:
        """Return nobody."""
        return None

    def reply(self, prompt: Prompt, *, on_text: Callable[[str], None]) -> Reply:
        """Replay the next reply; see `copilot.llm.chat_model.ChatModel`."""
        self.prompts.append(prompt)
        pieces = self.replies[len(self.prompts) - 1]
        text = ""
        for piece in pieces:
            if isinstance(piece, ModelFailed):
                piece.text, piece.usage = text, CallUsage(self.name, error=str(piece))
                raise piece
            text += piece
            on_text(piece)
        usage = CallUsage(
            self.name,
            prompt_version=prompt.version,
            prompt_tokens=len(prompt.system) // 4,
            output_tokens=len(text) // 4,
            first_token_seconds=0.0,
        )
        return Reply(text=text, finish=self.finish, usage=usage)
