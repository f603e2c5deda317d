"""What sent no telemetry of its own is neither blamed nor said to be in a state, though its name is in the evidence."""

from dataclasses import replace

import pytest

from copilot.answers.claims import Verdict
from copilot.answers.verification import check
from copilot.evidence.bundle import Kind, Role
from tests.copilot.answers.cast import BUNDLE, item

POOL = item(
    "E3", Kind.LOG, Role.CAUSE, "payments", "New line in payments logs",
    "payments logged “no database connection within 2 s” 87 times during the incident, and never in the window before.",
)  # fmt: skip
# No service is called database here.
UNSEEN = replace(
    BUNDLE,
    items=(POOL,),
    services=("checkout", "payments"),
    hypotheses=tuple(h for h in BUNDLE.hypotheses if h.service != "database"),
    edges=(("checkout", "payments"), ("checkout", "cart")),
)


@pytest.mark.parametrize(
    "text",
    [
        "The database is the cause because payments logged no database connection within 2 s.",
        "The database was overloaded.",
        "payments logged “no database connection within 2 s” 87 times, which is consistent with the database being the cause.",
        "The failures of payments were caused by the database.",
        "payments logged “no database connection within 2 s”, which shows that the network failed.",
    ],
)
def test_a_component_without_telemetry_is_not_blamed(text: str) -> None:
    found = check(text, ["E3"], UNSEEN)
    assert found.verdict is not Verdict.SUPPORTED
    assert "itself" in found.reason


def test_what_was_logged_of_it_may_be_said() -> None:
    assert check("payments got no database connection within 2 s.", ["E3"], UNSEEN).verdict is Verdict.SUPPORTED
    down = replace(POOL, statement="payments logged “the database is down” 87 times.")
    assert "itself" not in check("The database is down.", ["E3"], replace(UNSEEN, items=(down,))).reason


def test_harm_goes_along_calls() -> None:
    found = check("cart slowed down because payments failed.", ["E3"], UNSEEN)
    assert found.verdict is not Verdict.SUPPORTED
