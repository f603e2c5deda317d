"""What an answer looks at, for a program; and a word to it, or an end."""

import pytest
from django.utils import timezone

from copilot.answers import questions
from copilot.models import InvestigationStep, Message, Steering
from tests import cast
from tests.copilot.api.caller import Caller

pytestmark = pytest.mark.django_db


def test_steps_are_read_and_an_answer_is_steered_and_stopped() -> None:
    api, incident = Caller(), cast.incident()
    answer = questions.ask(incident.pk, text="Why?", user=None, now=timezone.now()).answer
    path = f"/incidents/{incident.pk}/messages/{answer.pk}"
    refused = api("POST", f"{path}/stop")
    assert refused.status_code == 409
    assert "not being written" in refused.json()["detail"]
    Message.objects.filter(pk=answer.pk).update(state="streaming")
    InvestigationStep.objects.create(
        message=answer, number=1, turn=1, tool="search_logs", arguments={"service": "payments", "text": "pool"},
        state="done", evidence=["E9"], lines="a\nb", started_at=timezone.now(),
    )  # fmt: skip
    (step,) = Caller("viewer")("GET", f"{path}/steps").json()
    assert (step["said"], step["evidence"], step["line_count"]) == ("Log lines: payments “pool”", ["E9"], 2)
    assert api("POST", f"{path}/steer", {"text": "Look at checkout."}).json()["author"] == api.user.username
    assert api("POST", f"{path}/steer", {"text": "x" * 301}).status_code == 422
    assert api("POST", f"{path}/stop").json()["text"] == ""
    assert [said.text for said in Steering.objects.all()] == ["Look at checkout.", ""]
    assert Caller("viewer")("POST", f"{path}/stop").status_code == 403
    assert api("GET", f"/incidents/{incident.pk}/messages/{answer.question_id}/steps").status_code == 404
