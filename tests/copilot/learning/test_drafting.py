"""A resolved incident drafts its postmortem and a change to its runbook; people decide, and what they wrote stays."""

import re
from datetime import timedelta

import pytest

from copilot import learning
from incidents import lifecycle
from incidents.models import Incident, OutboxMessage
from runbooks import curation
from runbooks.models import Document, Revision
from tests import cast

pytestmark = pytest.mark.django_db

NOW = cast.OPENED + timedelta(hours=1)
RUNBOOK = "When the pool is full.\n\n## Steps\n\n1. Restart the pods\n"


@pytest.fixture
def incident() -> Incident:
    made = cast.incident(severity=2)
    cast.investigated(made)
    lifecycle.add_lesson(made, kind="worse", text="Restarted the pods", service="payments", by="mira", now=NOW)
    cause = lifecycle.Cause("payments", "resource", "deploy", "2.14.0 leaks connections")
    lifecycle.confirm_cause(made, cause=cause, stated=None, by="mira", now=NOW)
    return lifecycle.resolve(made, by="mira", now=NOW)


def approved_runbook() -> Document:
    text = curation.Text(title="Connection pool exhausted", markdown=RUNBOOK)
    draft = curation.draft(text, kind=Document.Kind.RUNBOOK, by=None, now=NOW)
    return curation.approve(draft, by=None, now=NOW).document


def test_resolving_asks_for_it() -> None:
    lifecycle.resolve(made := cast.incident(), by="mira", now=NOW)
    assert OutboxMessage.objects.filter(task="copilot.tasks.learn", arguments=[made.pk]).exists()


def test_every_sentence_of_the_postmortem_names_its_evidence(incident: Incident) -> None:
    (draft,) = learning.learn(incident.pk, now=NOW).drafts
    assert (draft.state, draft.document.kind, draft.author_id) == ("draft", "postmortem", None)
    sentences = re.findall(r"^- .*$", draft.markdown, re.MULTILINE)
    known = {item.id for item in cast.evidence()}
    for sentence in sentences:
        marks = re.findall(r"\[([^\]]+)\]", sentence)
        assert marks or sentence == "- Nothing is recorded.", sentence
    assert set(re.findall(r"\[(E\d+)\]", draft.markdown)) <= known
    for words in (
        "Confirmed by mira: payments",
        "Restarted the pods. Made it worse",
        "Restored after",
        "## Open questions",
    ):
        assert words in draft.markdown


def test_a_draft_is_brought_up_to_date_until_a_person_writes_in_it(incident: Incident) -> None:
    (first,) = learning.learn(incident.pk, now=NOW).drafts
    lifecycle.add_lesson(incident, kind="fixed", text="Rolled back", by="mira", now=NOW)
    (again,) = learning.learn(incident.pk, now=NOW).drafts
    assert again.pk == first.pk
    assert "Rolled back" in again.markdown
    text = curation.Text(title=again.title, markdown="mine")
    curation.revise(again.document, text, by=cast.mira(), now=NOW)
    found = learning.learn(incident.pk, now=NOW)
    assert found.drafts == ()
    assert "by a person" in found.left[0]
    assert Revision.objects.get().markdown == "mine"


def test_the_runbook_used_gets_a_draft_and_its_approved_text_stays(incident: Incident) -> None:
    document = approved_runbook()
    drafts = {one.document.kind: one for one in learning.learn(incident.pk, now=NOW).drafts}
    assert "   - Made it worse in " in drafts["runbook"].markdown
    assert document.revisions.get(state="approved").markdown == RUNBOOK


def test_somebodys_draft_of_the_runbook_is_left_alone(incident: Incident) -> None:
    document = approved_runbook()
    curation.revise(document, curation.Text(title="x", markdown="mine"), by=cast.mira(), now=NOW)
    found = learning.learn(incident.pk, now=NOW)
    assert any("has a draft already" in why for why in found.left)
    assert document.revisions.get(state="draft").markdown == "mine"


@pytest.mark.parametrize("change", [{"is_restricted": True}, {"is_demo": True}, {"status": "open"}])
def test_some_teach_nothing(incident: Incident, change: dict[str, object]) -> None:
    Incident.objects.filter(pk=incident.pk).update(**change)
    assert learning.learn(incident.pk, now=NOW) == learning.Learned((), ())
    assert learning.learn(999_999, now=NOW) == learning.Learned((), ())
