"""What a model is asked for. Each purpose may have its own models: COPILOT_LLM_EXPLAIN, COPILOT_LLM_CHAT, COPILOT_LLM_INVESTIGATION."""

from enum import StrEnum

from django.conf import settings


class Purpose(StrEnum):
    """The values are those of `ModelCall.purpose`."""

    EXPLAIN = "explain"  # the brief put into words
    CHAT = "chat"
    INVESTIGATION = "investigation"

    @property
    def label(self) -> str:
        """Return what pages show."""
        return {"explain": "first explanation", "chat": "questions", "investigation": "investigation by tools"}[
            self.value
        ]


def named_for(purpose: Purpose) -> str:
    """Return what the settings name for a purpose, in the form of COPILOT_LLM."""
    named: str = settings.COPILOT_LLM_FOR.get(purpose.value) or settings.COPILOT_LLM
    return named.strip()
