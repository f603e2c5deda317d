"""What earlier incidents taught shows in later ones like them: as evidence, for and against, in the brief and in the prompt."""

from dataclasses import replace
from datetime import timedelta

import pytest

from copilot.answers import brief as briefs
from copilot.answers.focus import focus_on
from copilot.evidence import lessons, precedents
from copilot.evidence.assessment import Assessment, Certainty
from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.hypotheses import hypotheses_of
from incidents import lifecycle
from incidents.localization.suspects import Family, Ranking, Suspect
from incidents.models import Anomaly, Incident
from incidents.telemetry.datamodel import Window
from tests import cast

pytestmark = pytest.mark.django_db

NOW = cast.OPENED
WINDOW = Window(cast.START, cast.END)
SUSPECT = ("payments", "resource")


def earlier(*signals: str, days: int = 200, **changes: object) -> Incident:
    apart = timedelta(days=days)
    made = cast.incident(
        status=Incident.Status.RESOLVED, started_at=cast.START - apart, opened_at=cast.OPENED - apart, **changes
    )
    showing(made, *signals)
    return made


def showing(incident: Incident, *signals: str) -> None:
    for name in signals:
        at = incident.started_at
        Anomaly.objects.create(
            incident=incident, service="payments", name=name, direction="up", started_at=at, detected_at=at,
            peaked_at=at, usual_low=0, usual_high=1, peak=9, score=9,
        )  # fmt: skip


@pytest.fixture
def incident() -> Incident:
    made = cast.incident(opened_at=cast.OPENED)
    showing(made, "error_ratio", "pool")
    return made


def items_of(incident: Incident) -> list[Evidence]:
    alike = precedents.similar_incidents(incident, suspect=SUSPECT, limit=5)
    found = [precedents.from_incident(other, shared=shared, window=WINDOW) for other, shared in alike]
    told = lessons.told([incident, *(other for other, _ in alike)], limit=4)
    found += [lessons.from_lesson(one, is_own=one.incident_id == incident.pk, window=WINDOW) for one in told]
    return found


def test_what_made_it_worse_in_a_like_incident_is_told_first(incident: Incident) -> None:
    before = earlier("error_ratio", "pool")
    told_at = NOW - timedelta(days=200)
    for kind, text in (("fixed", "Rolled back"), ("no help", "Doubled the pool"), ("worse", "Restarted the pods")):
        lifecycle.add_lesson(before, kind=kind, text=text, service="payments", by="mira", now=told_at)
    found = [item for item in items_of(incident) if "kind" in item.detail]
    assert [item.detail["kind"] for item in found] == ["worse", "no help", "fixed"]
    assert found[0].statement == (
        f"Tried on 6 May 2026 in {before.reference} at payments: “Restarted the pods”; it made it worse."
    )
    assert [item.role for item in found] == [Role.FAILED, Role.FAILED, Role.REMEDY]


def test_an_incident_is_alike_by_its_confirmed_cause_too_and_speaks_for_that_suspect(incident: Incident) -> None:
    before = earlier(services=["payments"])
    assert precedents.similar_incidents(incident, suspect=SUSPECT, limit=5) == []
    cause = lifecycle.Cause("payments", "resource", "deploy", "2.9 leaked connections")
    lifecycle.confirm_cause(before, cause=cause, stated=None, by="mira", now=NOW)
    (item,) = items_of(incident)
    assert "Its confirmed cause was payments, a resource ran out (2.9 leaked connections)." in item.statement
    numbered = replace(item, id="E1")
    suspect = Suspect("payments", 0.7, (), "its pool", 0.9, Family.RESOURCE)
    ranking = Ranking((suspect,), (), 0.7, (), (), "")
    assessment = Assessment("payments", Certainty.LIKELY, 0.9, 0.9, "", (), (), ())
    assert "E1" in hypotheses_of(ranking, [numbered], assessment)[0].supporting
    assert precedents.similar_incidents(incident, suspect=("payments", "latency"), limit=5) == []


def test_a_restricted_incident_teaches_nothing_to_others(incident: Incident) -> None:
    before = earlier("error_ratio", "pool", is_restricted=True)
    lifecycle.add_lesson(before, kind="worse", text="Restarted the pods", by="mira", now=NOW)
    assert items_of(incident) == []


def test_what_checks_refuted_elsewhere_is_not_passed_on(incident: Incident) -> None:
    before = earlier("error_ratio", "pool")
    lifecycle.note_refuted(before, found=[("checkout", "It went wrong later", ())], now=NOW)
    lifecycle.add_lesson(
        before, kind="ruled out", text="Its pool was full before", service="storefront", by="m", now=NOW
    )
    (item,) = [item for item in items_of(incident) if "kind" in item.detail]
    assert (item.service, item.role) == ("storefront", Role.AGAINST)


def test_the_brief_and_answers_say_what_not_to_try(incident: Incident) -> None:
    lifecycle.add_lesson(incident, kind="worse", text="Restarted the pods", by="mira", now=NOW)
    (item,) = items_of(incident)
    numbered = replace(item, id="E90")
    bundle = cast.bundle(items=(*cast.evidence(), numbered))
    assert numbered.kind is Kind.PRECEDENT
    brief = briefs.write(bundle, title="x")
    assert [claim.cites for claim in brief.tried] == [("E90",)]
    assert "made it worse" in focus_on("What should I do now?", bundle).computed[0].text
    assert "E90" in focus_on("Has this happened before?", bundle).relevant
