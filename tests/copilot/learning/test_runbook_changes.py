"""What an incident taught, written into a runbook's text."""

from datetime import UTC, datetime

from copilot.learning.runbook_changes import changed
from incidents.models import Lesson

TEXT = """When the pool is full.

## Steps

1. Restart the pods
2. Look at the pool

## Do not

- Delete the pool
"""
NOTE = "in INC-7 on 6 May 2026"


def taught(kind: str, text: str) -> str:
    lesson = Lesson(kind=kind, text=text, told_at=datetime(2026, 5, 6, tzinfo=UTC), told_by="mira")
    once = changed(TEXT, lessons=[lesson], reference="INC-7")
    assert changed(once, lessons=[lesson], reference="INC-7") == once
    return once


def test_a_step_that_made_it_worse_says_so_under_it() -> None:
    assert f"1. Restart the pods\n   - Made it worse {NOTE}: Restarted the pods.\n2." in taught(
        "worse", "Restarted the pods"
    )
    assert f"   - Did not help {NOTE}: Restarted pods.\n2." in taught("no help", "Restarted pods")


def test_a_missing_step_is_added_and_a_known_one_is_not() -> None:
    assert f"2. Look at the pool\n3. Rolled back to 2.13.4. Fixed it {NOTE}.\n" in taught(
        "fixed", "Rolled back to 2.13.4"
    )
    assert taught("fixed", "Restarted the pods") == TEXT


def test_harm_without_a_step_is_warned_of() -> None:
    assert f"## Do not\n\n- Doubled the retries. Made it worse {NOTE}.\n" in taught("worse", "Doubled the retries")
    assert taught("no help", "Doubled the retries") == TEXT
    assert taught("ruled out", "Restart the pods") == TEXT
