from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client

from copilot.answers import brief as briefs
from copilot.evidence import bundle as bundles
from incidents import grouping, lifecycle
from incidents.models import FormerLook, GroupingDecision, Incident, Investigation, StatusUpdate
from tests import cast
from tests.incidents.alerting import alert, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def mira(client: Client) -> Client:
    client.force_login(cast.mira())
    return client


def test_parts_tasks_and_details_are_set_from_the_page(mira: Client) -> None:
    incident = cast.incident()
    cast.person("jonas", "responder")
    page = f"/incidents/{incident.pk}/"
    mira.post(f"{page}role/take/", {"role": "commander"})
    mira.post(f"{page}task/0/", {"text": "Roll back", "follow_up": ""})
    task = incident.tasks.get()
    mira.post(f"{page}task/{task.pk}/", {"do": "mine"})
    mira.post(f"{page}task/{task.pk}/", {"do": "done"})
    mira.post(f"{page}change/severity/", {"severity": "2", "reason": "fewer users"})
    mira.post(f"{page}change/tags/", {"tags": "cards, eu"})
    mira.post(f"{page}watch/", {"watch": "1"})
    mira.post(f"{page}role/give/", {"role": "commander", "person": "jonas"})
    shown = mira.get(page).content.decode()
    for part in ("<b>jonas</b>", "Roll back", "SEV 2", "cards", "Stop watching"):
        assert part in shown, part
    refused = mira.post(f"{page}role/give/", {"role": "commander", "person": "nobody"}, follow=True)
    assert "There is nobody called" in refused.content.decode()
    assert mira.get(f"{page}part/response/").status_code == 200
    assert mira.post(f"{page}change/moon/").status_code == 404


def test_merge_and_undo_from_the_page(mira: Client) -> None:
    into, other = cast.incident(source="live"), cast.incident(source="live", title="Storefront is slow")
    answer = mira.post(f"/incidents/{other.pk}/merge/", {"into": into.reference.lower()})
    assert answer.headers["Location"] == f"/incidents/{into.pk}/"
    assert f"Merged into {into.reference}" in mira.get(f"/incidents/{other.pk}/").content.decode()
    assert "Storefront is slow" in mira.get(f"/incidents/{into.pk}/").content.decode()
    decision = GroupingDecision.objects.get()
    mira.post(f"/incidents/{into.pk}/undo/{decision.pk}/")
    assert Incident.objects.get(pk=other.pk).merged_into is None
    again = mira.post(f"/incidents/{into.pk}/undo/{decision.pk}/", follow=True)
    assert "undone it already" in again.content.decode()


def test_splitting_from_the_page_takes_the_chosen_alerts(mira: Client) -> None:
    first, second = alert(), alert("HighLatency", started=5)
    grouping.place([first.pk, second.pk], now=at(8))
    second.refresh_from_db()
    mira.post(f"/incidents/{second.incident_id}/change/split/", {"alert": [str(second.pk)]})
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.incident != second.incident


def test_the_slider_shows_what_was_known_and_greys_the_rest(mira: Client) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    lifecycle.acknowledge(incident, by="mira", now=cast.OPENED + timedelta(minutes=5))
    page = f"/incidents/{incident.pk}/part/timeline/"
    before = mira.get(f"{page}?at=2026-11-22T02:45:00Z").content.decode()
    assert "nobody knew yet: it opened at 02:47:10, and 1 of 6 entries were known" in before
    assert before.count("data-later") == 5
    then = mira.get(f"{page}?at=2026-11-22T02:48:00%2B00:00").content.decode()
    assert "At 02:48 UTC: open, severity 1, nobody in command; 4 of 6 entries were known" in then
    for now in ("", "?at=", "?at=x", "?at=2030-01-01T00:00:00Z", "?minute=99999999999999"):
        assert "data-later" not in mira.get(page + now).content.decode()


def test_a_doubtful_update_is_shown_again_before_it_goes_out(mira: Client) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    page = f"/incidents/{incident.pk}/briefs/"
    assert "A severe outage" in mira.get(page).content.decode()
    doubtful = mira.post(f"{page}publish/", {"text": "99 % of orders fail."})
    assert doubtful.status_code == 400
    assert "is in neither the evidence nor the timeline" in doubtful.content.decode()
    assert not StatusUpdate.objects.exists()
    mira.post(f"{page}publish/", {"text": "99 % of orders fail.", "checked": "1"})
    assert StatusUpdate.objects.get().published_by == "mira"
    mira.post(f"{page}publish/", {"text": "Checkout fails for 31.4 % of requests."})
    assert StatusUpdate.objects.count() == 2


def test_viewers_watch_and_read_and_change_nothing(client: Client) -> None:
    incident = cast.incident()
    client.force_login(cast.person("vera", "viewer"))
    page = f"/incidents/{incident.pk}/"
    shown = client.get(page).content.decode()
    assert "Add task" not in shown
    assert "Undo" not in shown
    assert client.get(f"{page}briefs/").status_code == 200
    for path in ("role/take/", "task/0/", "change/tags/", "merge/", "undo/1/", "briefs/publish/"):
        assert client.post(page + path).status_code == 403, path
    assert client.post(f"{page}watch/", {"watch": "1"}).status_code == 302


def test_a_restricted_incident_is_not_found_by_others(client: Client, mira: Client) -> None:
    incident = cast.incident()
    mira.post(f"/incidents/{incident.pk}/change/restricted/", {"restricted": "1"})
    assert mira.get(f"/incidents/{incident.pk}/").status_code == 200
    client.force_login(cast.person("jonas", "responder"))
    for path in ("", "briefs/", "change/", "part/response/"):
        assert client.get(f"/incidents/{incident.pk}/{path}").status_code == 404


def test_the_slider_shows_the_brief_and_hypotheses_as_they_were(mira: Client) -> None:
    incident = cast.incident()
    investigation = cast.investigated(incident)
    first_ended_at = cast.OPENED + timedelta(minutes=1)
    early = replace(cast.bundle(), hypotheses=(), gaps=("Traces had not arrived yet.",), located=None)
    FormerLook.objects.create(
        incident=incident,
        finished_at=first_ended_at,
        evidence=bundles.to_json(early),
        brief=briefs.to_json(briefs.write(early, title="payments: first look")),
    )
    Investigation.objects.filter(pk=investigation.pk).update(finished_at=first_ended_at + timedelta(minutes=2))
    lifecycle.acknowledge(incident, by="mira", now=cast.OPENED + timedelta(minutes=9))
    page = f"/incidents/{incident.pk}/"

    nothing = mira.get(f"{page}part/explanation/?at=2026-11-22T02:46:00Z").content.decode()
    assert "No brief yet" in nothing
    early_brief = mira.get(f"{page}part/explanation/?at=2026-11-22T02:49:00Z").content.decode()
    assert "Traces had not arrived yet." in early_brief
    assert "No service stands out from the others." in early_brief
    header = mira.get(f"{page}part/verdict/?at=2026-11-22T02:49:00Z").content.decode()
    assert "As it was known at 02:49 UTC" in header
    assert "Open" in header
    assert "Acknowledge" not in header
    assert "incident-action" not in header
    newest = mira.get(f"{page}?at=2026-11-22T02:51:00Z").content.decode()
    assert "Traces had not arrived yet." not in newest
    assert "Back to now" in newest
    assert "As it was known" not in mira.get(page).content.decode()
