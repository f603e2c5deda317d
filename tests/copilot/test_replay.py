"""A recorded outage goes through the whole line: stored, detected, opened, explained."""

import json
import re
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from copilot import pipeline
from copilot.answers import brief as briefs
from copilot.evidence.bundle import EvidenceBundle, Kind, from_json, to_json
from copilot.evidence.wording import percent
from copilot.replay import replay
from incidents.models import FormerLook, Incident, Investigation
from tests import cast
from tests.copilot.api.caller import Caller
from tests.outage import FAULT_AT, write_outage


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("replay", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_an_outage_is_found_and_explained(tmp_path: Path) -> None:
    found = replay(write_outage(tmp_path / "pool-leak"), now=timezone.now())

    (incident,) = found.incidents
    assert not found.opened_by_alert
    assert abs((incident.started_at - FAULT_AT).total_seconds()) <= 60
    assert (incident.opened_at - FAULT_AT).total_seconds() <= 120
    investigation = Investigation.objects.get(incident=incident)
    assert investigation.state == Investigation.State.READY
    bundle = from_json(investigation.evidence)
    assert bundle.shifted_by_seconds == 0
    assert bundle.hypotheses[0].service == "payments"
    assert [item.id for item in bundle.items] == [f"E{n}" for n in range(1, len(bundle.items) + 1)]
    assert {Kind.METRIC, Kind.TRACE, Kind.LOG} <= {item.kind for item in bundle.items}
    assert to_json(bundle) == investigation.evidence
    brief = briefs.from_json(investigation.brief)
    known = {item.id for item in bundle.items}
    assert all(cite in known for claim in brief.claims() for cite in claim.cites)
    assert "payments" in brief.cause[0].text


@pytest.mark.django_db(transaction=True)
def test_a_second_replay_replaces_the_first(tmp_path: Path) -> None:
    folder = write_outage(tmp_path / "again")
    replay(folder, now=timezone.now())
    replay(folder, now=timezone.now())
    assert Incident.objects.filter(source="replay_again").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_calm_recording_opens_nothing(tmp_path: Path) -> None:
    found = replay(write_outage(tmp_path / "calm", faulty=False), now=timezone.now())
    assert found.incidents == ()


@pytest.mark.django_db(transaction=True)
def test_shifted_times_end_now(tmp_path: Path) -> None:
    now = timezone.now()
    found = replay(write_outage(tmp_path / "shifted"), now=now, shift_to_now=True)
    assert abs((found.window.end - now).total_seconds()) < 60
    (incident,) = found.incidents
    assert incident.opened_at <= now
    moved = timedelta(seconds=_bundle(incident).shifted_by_seconds)
    assert abs((incident.started_at - moved - FAULT_AT).total_seconds()) <= 60
    first = Investigation.objects.get(incident=incident)
    pipeline.request_again(incident.pk, now=now)
    assert pipeline.investigate(incident.pk, now=now)
    former = FormerLook.objects.get(incident=incident)  # what was known until then can be shown again
    assert former.evidence == first.evidence
    assert former.finished_at == first.finished_at
    assert _bundle(incident).shifted_by_seconds == moved.total_seconds(), "a new look at the same replay knows it too"


def _bundle(incident: Incident) -> EvidenceBundle:
    return from_json(Investigation.objects.get(incident=incident).evidence)


@pytest.mark.django_db(transaction=True)
def test_a_broken_line_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    printed = json.loads(run(str(write_outage(tmp_path / "broken", broken_line=True)), "--json"))
    assert len(printed["broken_lines"]) == 1
    assert "traces.jsonl.gz:4" in printed["broken_lines"][0]
    assert printed["incidents"][0]["suspects"][0]["service"] == "payments"
    assert printed["incidents"][0]["suspects"][0]["evidence"]
    assert set(printed["stage_seconds"]) == {"loading", "storing", "detection", "localization", "evidence", "brief"}


def test_a_dry_run_needs_no_database(tmp_path: Path) -> None:
    printed = run(str(write_outage(tmp_path / "dry")), "--dry-run")
    assert "payments" in printed


@pytest.mark.django_db(transaction=True)
def test_a_folder_without_telemetry_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"holds no recording: expected traces\.jsonl\.gz"):
        run(str(tmp_path))
    with pytest.raises(CommandError, match="is not a folder"):
        run(str(tmp_path / "absent"))


@pytest.mark.django_db(transaction=True)
def test_one_figure_says_everywhere_how_sure_it_is(tmp_path: Path, client: Client) -> None:
    (incident,) = replay(write_outage(tmp_path / "sure"), now=timezone.now()).incidents
    client.force_login(cast.mira())
    page = client.get(f"/incidents/{incident.pk}/").content.decode()
    places = {
        "header": r'class="confidence"><b>(\d+ %)</b>',
        "sentence": r"payments \(a chance of (\d+ %)\)",
        "panel": r"payments is the cause with a chance of (\d+ %)",
        "suspects": r"chance of being the cause: </span>(\d+ %)",
        "refutation": r"<strong>\w+, (\d+ %)\.</strong>",
    }
    figures = {place: set(re.findall(words, page)[:1]) for place, words in places.items()}
    figures["board"] = set(re.findall(r"payments \((\d+ %)\)", client.get("/incidents/").content.decode()))
    call = Caller()
    brief = call("GET", f"/incidents/{incident.pk}/brief").content.decode()
    figures["API"] = set(re.findall(places["sentence"], brief))
    handover = call("GET", f"/incidents/{incident.pk}/briefs/read-in").content.decode()
    figures["handover"] = set(re.findall(places["sentence"], handover))
    stated = percent(_bundle(incident).hypotheses[0].confidence)
    assert figures == {place: {stated} for place in figures}
