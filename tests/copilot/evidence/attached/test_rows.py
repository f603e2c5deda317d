"""Attached files as rows, and what they show pinned beside an incident's evidence."""

from datetime import timedelta

import pytest

from copilot import pipeline
from copilot.answers import questions
from copilot.evidence.attached import rows
from copilot.evidence.attached.files import UnreadableFile
from copilot.evidence.bundle import Kind, from_json
from copilot.models import Attachment, Message
from incidents.models import Incident, Investigation, OutboxMessage
from tests import cast

pytestmark = pytest.mark.django_db
LOG = b"2026-03-01 10:00:00 INFO up, mail ann@example.com\n2026-03-01 10:00:05 ERROR disk full on /var\n"


@pytest.fixture
def incident() -> Incident:
    found = cast.incident()
    cast.investigated(found)
    return found


def attach(incident: Incident, content: bytes = LOG, name: str = "pod.log") -> Attachment:
    return rows.attach(
        incident, name=name, content=content, by=cast.person(f"ann-{name}-{len(content)}"), now=cast.OPENED
    )


def attached_of(incident: Incident) -> list[str]:
    bundle = from_json(Investigation.objects.get(incident=incident).evidence)
    return [item.statement for item in bundle.items if item.kind is Kind.ATTACHED]


def test_a_file_is_kept_masked_and_told_in_the_timeline(incident: Incident) -> None:
    kept = attach(incident)
    assert rows.lines_of(kept)[0] == "2026-03-01 10:00:00 INFO up, mail [email]"
    assert b"ann@example.com" not in bytes(kept.text)
    assert incident.timeline.filter(text__contains="attached pod.log (2 lines)").exists()
    assert OutboxMessage.objects.filter(task="copilot.tasks.read_attachments", arguments=[incident.pk]).count() == 1


def test_the_same_text_is_kept_once(incident: Incident) -> None:
    assert attach(incident).pk == attach(incident, name="again.log").pk
    assert OutboxMessage.objects.filter(task="copilot.tasks.read_attachments").count() == 1


def test_a_second_file_of_the_same_name_gets_a_name_of_its_own(incident: Incident) -> None:
    assert [attach(incident).name, attach(incident, content=b"other").name] == ["pod.log", "pod (2).log"]


def test_more_files_than_an_incident_takes_are_refused(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_FILES", 1)
    attach(incident)
    with pytest.raises(UnreadableFile, match="1 files are attached already"):
        attach(incident, content=b"other")


def test_what_a_file_shows_is_pinned_once_and_keeps_its_id(incident: Incident) -> None:
    attach(incident)
    first = rows.pin(incident.pk, now=cast.OPENED)
    again = rows.pin(incident.pk, now=cast.OPENED + timedelta(minutes=5))
    assert attached_of(incident) == ["ERROR at 2026-03-01 10:00:05: “disk full on /var”."]
    assert first is not None
    assert again is not None
    assert [item.id for item in first.items] == [item.id for item in again.items]


def test_a_question_is_looked_up_in_the_file_and_answered_with_its_line(incident: Incident) -> None:
    attach(incident)
    rows.pin(incident.pk, now=cast.OPENED)
    asked = questions.ask(incident.pk, text="find 'mail' in the log", user=cast.mira(), now=cast.OPENED)
    questions.answer(Message.objects.get(question=asked).pk, chat_model=None, now=cast.OPENED)
    first = asked.answer.claims.first()
    assert first is not None
    assert first.text == "INFO at 2026-03-01 10:00:00: “up, mail [email]”."
    pinned = from_json(Investigation.objects.get(incident=incident).evidence)
    item = pinned.get(first.cites[0])
    assert item is not None
    assert item.detail["lines"] == [{"number": 1, "text": "2026-03-01 10:00:00 INFO up, mail [email]"}]


def test_a_new_investigation_reads_the_files_again_and_their_ids_stay(incident: Incident) -> None:
    attach(incident)
    before = rows.pin(incident.pk, now=cast.OPENED)
    OutboxMessage.objects.all().delete()
    pipeline.request_again(incident.pk, now=cast.OPENED)
    pipeline.investigate(incident.pk, now=cast.OPENED)
    assert OutboxMessage.objects.filter(task="copilot.tasks.read_attachments").count() == 1
    after = rows.pin(incident.pk, now=cast.OPENED)
    assert before is not None
    assert after is not None
    ids = [[item.id for item in bundle.items if item.kind is Kind.ATTACHED] for bundle in (before, after)]
    assert ids[0] == ids[1]


def test_before_there_is_evidence_nothing_is_pinned_and_nothing_lost() -> None:
    waiting = cast.incident()
    Investigation.objects.create(incident=waiting, requested_at=cast.OPENED)
    attach(waiting)
    assert rows.pin(waiting.pk, now=cast.OPENED) is None
