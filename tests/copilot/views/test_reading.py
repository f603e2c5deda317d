"""Which questions are suggested: the next check, what is open, what everybody asks; never one that was asked."""

from dataclasses import replace

import pytest
from django.test import Client

from copilot.answers.focus import focus_on
from copilot.evidence.assessment import Assessment, Attempt, Certainty, Result
from copilot.evidence.bundle import EvidenceBundle
from copilot.views.reading import NEXT_CHECK, SUGGESTED, suggested_questions
from tests import cast

REACH = "Did services go wrong that payments cannot have harmed?"


def left_open() -> EvidenceBundle:
    attempts = (
        Attempt("order", "Did payments go wrong only after the others?", Result.WITHSTOOD, "It was first.", ("E1",)),
        Attempt("reach", REACH, Result.OPEN, "mail neither calls payments nor is called by it.", ("E3",)),
    )
    assessment = Assessment("payments", Certainty.LIKELY, 0.9, 0.85, "", (), attempts, (REACH,))
    return replace(cast.bundle(), assessment=assessment)


def test_the_next_check_and_what_is_open_come_first() -> None:
    found = suggested_questions(left_open())
    assert found[:3] == (NEXT_CHECK, "Why payments?", REACH)
    assert len(found) == SUGGESTED
    assert suggested_questions(None) == ()


def test_what_was_asked_makes_room_for_the_next() -> None:
    found = suggested_questions(left_open(), asked=["what should I check  next", REACH])
    assert found[0] == "Why payments?"
    assert REACH not in found
    assert len(found) == SUGGESTED


def test_code_answers_what_an_attempt_asked() -> None:
    computed = focus_on(REACH, left_open()).computed
    assert computed[0].text == "That is open. mail neither calls payments nor is called by it."
    assert computed[0].cites == ("E3",)
    assert computed[1].text.startswith("Compare the connection pool")
    assert [claim.text for claim in focus_on("Did payments go wrong only after the others", left_open()).computed] == [
        "No. It was first."
    ]


@pytest.mark.django_db
def test_the_page_suggests_anew_after_each_question(client: Client) -> None:
    client.force_login(user := cast.mira())
    incident = cast.incident()
    cast.investigated(incident)
    part = f"/incidents/{incident.pk}/part/prompts/"
    assert NEXT_CHECK in client.get(part).content.decode()
    cast.question(incident, user, NEXT_CHECK)
    assert NEXT_CHECK not in client.get(part).content.decode()
