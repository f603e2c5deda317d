from datetime import UTC, datetime

import pytest

from copilot.answers import mentions, questions
from copilot.models import Message
from incidents.models import Notification, OutboxMessage
from tests import cast

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def test_who_is_named_is_told_once_and_the_author_is_not() -> None:
    incident, ada, bo = cast.incident(), cast.person("ada", "responder"), cast.person("bo.b", "responder")
    asked = questions.ask(incident.pk, text="Why, @BO.B? @ada @nobody me@bo.b.example @bo.b", user=ada, now=NOW)
    told = Notification.objects.get()
    assert (told.user, told.text) == (bo, f"{incident.reference} ada: {asked.text}")
    assert Message.objects.filter(question=asked).exists(), "it is a question still"
    assert "copilot.tasks.ring" in OutboxMessage.objects.values_list("task", flat=True)


def test_a_message_to_a_person_is_no_question() -> None:
    incident, ada = cast.incident(), cast.person("ada", "responder")
    cast.person("bo", "responder")
    assert mentions.is_for_people("@bo is it safe?")
    asked = questions.ask(incident.pk, text="@bo is it safe?", user=ada, now=NOW)
    assert not Message.objects.filter(question=asked).exists()
    questions.ask(incident.pk, text="@payments is it safe?", user=ada, now=NOW)
    assert Message.objects.filter(from_copilot=True).count() == 1, "nobody has that name"


def test_nobody_is_told_of_an_incident_that_they_may_not_see() -> None:
    incident = cast.incident(is_restricted=True)
    cast.person("bo", "viewer")
    questions.ask(incident.pk, text="What does @bo think?", user=cast.person("ada", "administrator"), now=NOW)
    assert not Notification.objects.exists()
