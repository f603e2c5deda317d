"""What code looks up for a question, when no model does: what the words ask to see, to compare, or to list beyond what is pinned."""

from copilot.answers.investigation.found import Sources
from copilot.answers.investigation.ledger import Ledger


def look_up(question: str, sources: Sources, ledger: Ledger) -> None:
    """Run the calls that a question asks for, at most three."""
