"""Questions from a shell: with files, on an incident, and what is refused."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests import cast


def ask(*arguments: str) -> str:
    out = StringIO()
    call_command("ask", *arguments, "--no-llm", stdout=out)
    return out.getvalue()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "pod.log"
    file.write_text("2026-03-01 10:00:00 INFO up\n2026-03-01 10:00:05 ERROR disk full: token=abcdef1234567890\n")
    return file


def test_a_question_on_a_file_needs_no_incident_and_no_database(log: Path) -> None:
    said = ask("what is wrong?", "--attach", str(log))
    assert "ERROR at 2026-03-01 10:00:05: “disk full: token=[masked]”. [E1]" in said
    assert "E1  pod.log:2" in said
    assert "abcdef1234567890" not in said


def test_json_cites_file_and_lines(log: Path) -> None:
    said = json.loads(ask("what is wrong?", "--attach", str(log), "--json"))
    assert said["claims"][0]["citations"] == [{"id": "E1", "where": "pod.log:2", "file": "pod.log", "lines": [2]}]
    assert said["claims"][0]["verdict"] == "supported"


@pytest.mark.django_db
def test_a_question_on_an_incident_is_answered_from_its_evidence_and_a_file_beside_it(log: Path) -> None:
    incident = cast.investigated(cast.incident()).incident
    alone = json.loads(ask("since when?", "--incident", str(incident.pk), "--json"))
    assert alone["claims"][0]["text"].startswith("It began at")
    beside = json.loads(
        ask("what does the attached log show?", "--incident", str(incident.pk), "--attach", str(log), "--json")
    )
    assert [claim["citations"][0]["where"] for claim in beside["claims"]] == ["pod.log:2"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["why?"], "--attach FILE"),
        (["why?", "--incident", "987654"], "There is no incident 987654"),
        (["why?", "--attach", "/nowhere/pod.log"], "/nowhere/pod.log: No such file"),
        (["why?", "--attach", "/bin/true"], "no text file"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_to_do(arguments: list[str], advice: str) -> None:
    with pytest.raises(CommandError, match=advice):
        ask(*arguments)
