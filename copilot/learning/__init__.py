"""What stays of an incident when it is over: the confirmed cause beside what was stated of it."""

from copilot.learning.confirming import Suggested, confirm, suggestion

__all__ = ["Suggested", "confirm", "suggestion"]
