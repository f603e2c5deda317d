import pytest

from copilot.views.conversation import one_message
from tests import cast

pytestmark = pytest.mark.django_db


def test_an_answer_as_markdown_keeps_its_doubts_and_lets_nothing_become_markup() -> None:
    incident = cast.incident()
    answer = cast.answered(incident, cast.person("mira", "responder"))
    known = {item.id: item for item in cast.bundle().items}
    text = one_message(incident.pk, answer.pk, known=known).markdown
    assert text.startswith(f"**{incident.reference}: Why at 02:44 if the deploy was at 02:41?** (asked by mira, ")
    assert "after 02:41:08. \\[E4, E6\\]" in text
    assert (
        "- ~~The deploy raised the pool from 20 to 60 connections.~~ \\[E6\\] (struck out: E6 does not contain 60.)"
        in text
    )
    assert "(unverified: No evidence is cited.)" in text
    assert "- E6 payments changed from 2.13.4 to 2.14.0" in text
    assert text.endswith(f"/incidents/{incident.pk}/?message={answer.pk}#m-{answer.pk}")
    assert "<" not in text.replace("\\<", "")
