"""What people learned: causes confirmed and corrected, lessons kept once, masked, taken back, and moved with a merge."""

import pytest

from incidents import lifecycle
from incidents.lifecycle import Cause, NotPossible, Stated
from incidents.models import ConfirmedCause, Incident, Lesson
from tests import cast

pytestmark = pytest.mark.django_db

NOW = cast.OPENED
STATED = Stated("payments", "likely", 0.91, 0.85)


@pytest.fixture
def incident() -> Incident:
    return cast.incident()


def confirm(incident: Incident, service: str = "payments", **more: str) -> ConfirmedCause:
    cause = Cause(service, **more)
    return lifecycle.confirm_cause(incident, cause=cause, stated=STATED, by="mira", now=NOW)


def test_a_cause_is_confirmed_with_what_was_stated_and_corrected_without_changing_that(incident: Incident) -> None:
    found = confirm(incident, family="resource", kind="deploy", text="2.14.0 leaks; password=hunter2secret")
    incident.refresh_from_db()
    assert (found.stated_service, found.stated_chance, found.is_as_stated) == ("payments", 0.91, True)
    assert (incident.cause, "hunter2secret" in incident.cause_text) == ("deploy", False)
    other = Stated("checkout", "likely", 0.5, 0.5)
    corrected = lifecycle.confirm_cause(incident, cause=Cause("payments-db"), stated=other, by="ada", now=NOW)
    assert (corrected.pk, corrected.service, corrected.stated_service) == (found.pk, "payments-db", "payments")
    assert not corrected.is_as_stated
    texts = list(incident.timeline.values_list("text", flat=True))
    assert "Cause confirmed by mira: payments, a resource ran out" in texts
    assert "Cause corrected by ada: payments-db" in texts


def test_a_family_that_does_not_exist_changes_nothing(incident: Incident) -> None:
    with pytest.raises(NotPossible, match="there are resource, latency"):
        confirm(incident, family="moon")
    with pytest.raises(NotPossible, match="there are deploy"):
        confirm(incident, kind="moon")
    assert not ConfirmedCause.objects.exists()


def test_a_lesson_is_kept_once_and_masked(incident: Incident) -> None:
    for _ in range(2):
        lifecycle.add_lesson(
            incident,
            kind="worse",
            text="restarted payments, token=abcdef0123456789",
            service="payments",
            by="mira",
            now=NOW,
        )
    lesson = Lesson.objects.get()
    assert "abcdef0123456789" not in lesson.text
    assert [entry.actor for entry in incident.timeline.all()] == ["mira"]
    assert "Made it worse" in incident.timeline.get().text
    for kind, text in (("nonsense", "x"), ("worse", "  "), ("worse", ".")):
        with pytest.raises(NotPossible):
            lifecycle.add_lesson(incident, kind=kind, text=text, by="mira", now=NOW)


def test_a_lesson_is_corrected_or_taken_back(incident: Incident) -> None:
    first = lifecycle.add_lesson(incident, kind="worse", text="restarted it", by="mira", now=NOW)
    second = lifecycle.add_lesson(incident, kind="no help", text="waited", by="mira", now=NOW)
    with pytest.raises(NotPossible, match="recorded already"):
        lifecycle.change_lesson(second, kind="worse", text="restarted it", service="", by="ada", now=NOW)
    lifecycle.change_lesson(first, kind="no help", text="restarted it", service="payments", by="ada", now=NOW)
    first.refresh_from_db()
    assert (first.kind, first.service, first.told_by) == ("no help", "payments", "ada")
    lifecycle.drop_lesson(first, by="ada", now=NOW)
    lifecycle.drop_lesson(first, by="ada", now=NOW)
    assert [one.text for one in Lesson.objects.all()] == ["waited"]
    assert incident.timeline.filter(text__startswith="Taken back by ada").count() == 1


def test_what_code_refuted_lasts_as_long_as_the_newest_look_says_so(incident: Incident) -> None:
    lifecycle.note_refuted(incident, found=[("checkout", "It went wrong 4 min after payments.", ("E1",))], now=NOW)
    lifecycle.note_refuted(incident, found=[("checkout", "It went wrong 4 min after payments.", ("E1",))], now=NOW)
    lesson = Lesson.objects.get()
    assert (lesson.kind, lesson.told_by, lesson.cites) == ("ruled out", "", ["E1"])
    confirm(incident, service="checkout")
    assert not Lesson.objects.exists()
    lifecycle.note_refuted(incident, found=[("checkout", "It went wrong 4 min after payments.", ())], now=NOW)
    assert not Lesson.objects.exists()


def test_lessons_move_with_a_merge_and_back(incident: Incident) -> None:
    into = cast.incident(title="the other")
    lifecycle.add_lesson(incident, kind="worse", text="restarted it", by="mira", now=NOW)
    lifecycle.merge(incident, into=into, by="mira", now=NOW)
    assert into.lessons.count() == 1
    lifecycle.undo(into.grouping_decisions.latest("pk"), by="mira", now=NOW)
    assert incident.lessons.count() == 1
