"""What stays of an incident when it is over: the confirmed cause beside what was stated of it, a postmortem draft, a change to its runbook."""

from copilot.learning.confirming import Suggested, confirm, suggestion
from copilot.learning.drafting import Learned, learn

__all__ = ["Learned", "Suggested", "confirm", "learn", "suggestion"]
