"""Pinned investigations: written by a command, answered by models and by code alone, judged by what is known to be true."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from copilot.evidence import bundle as bundles
from copilot.management.evaluations import answers
from tests import cast
from tests.copilot.llm.fake_provider import provider, speaks


def evaluate(*arguments: str) -> str:
    out = StringIO()
    call_command("evaluate", "answers", *arguments, stdout=out)
    return out.getvalue()


def test_code_alone_finds_the_cause_in_all_recordings_of_the_demo() -> None:
    cases = answers.load(answers.PINNED)
    assert len(cases) == 6
    results = [answers.answer_case(case, None)[0] for case in cases]
    assert [result.case for result in results if not result.right] == []
    assert all(result.supported == result.sentences for result in results)


def test_a_model_stands_beside_code_alone(settings: Settings, tmp_path: Path) -> None:
    said = '{"claims":[{"text":"The database was dropped at 04:00.","cites":["E1"]}]}'
    with provider(speaks(said)) as fake:
        settings.COPILOT_LLM_MODEL = "fake"
        told = evaluate("--model", fake.url, "--prompt", "2", "--out", str(tmp_path))
        asked = fake.requests
    code, model = told.splitlines()[-2:]
    assert code.split()[:4] == ["code", "alone", "6", "of"]
    assert "$0.0000" in code
    assert model.startswith("fake at 127.0.0.1")
    assert "unknown" in model, "the price of an unheard-of model is not known"
    assert "5,400/240" in model
    assert "0/6 0%" in model, "only what the model wrote counts"
    assert len(asked) == 6
    assert "Begin with the mechanism" in asked[0]["messages"][0]["content"]
    kept = json.loads(next(tmp_path.glob("fake-*/cpu-hog.json")).read_text())
    assert kept["claims"][-1]["verdict"] != "supported"


def test_a_wrong_cause_is_wrong() -> None:
    case = answers.load(answers.PINNED)[0]
    wrong = answers.Case(case.name, case.question, case.evidence, answers.Truth("cart", ()))
    assert not answers.answer_case(wrong, None)[0].right
    unsaid = answers.Case(case.name, case.question, case.evidence, answers.Truth(case.truth.service, ("solar flare",)))
    assert not answers.answer_case(unsaid, None)[0].right


@pytest.mark.django_db
def test_an_incident_is_pinned_with_its_truth(tmp_path: Path) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    file = tmp_path / "pool.json"
    call_command("pin", str(incident.pk), str(file), "--question", "Why?", "--service", "payments", "--says", "pool")
    (case,) = answers.load(tmp_path)
    assert (case.name, case.question, case.truth) == ("pool", "Why?", answers.Truth("payments", ("pool",)))
    assert bundles.from_json(case.evidence) == cast.bundle()
    with pytest.raises(CommandError, match="There is no incident 999999"):
        call_command("pin", "999999", str(file), "--service", "x")


def test_what_is_no_pinned_investigation_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no pinned investigation"):
        evaluate("--data", str(tmp_path))
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(CommandError, match="did not write"):
        evaluate("--data", str(tmp_path))
    with pytest.raises(CommandError, match="there are 1, 2"):
        evaluate("--prompt", "9")
    with pytest.raises(CommandError, match="openai:MODEL"):
        evaluate("--model", "gpt")
