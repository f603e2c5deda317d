import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command


def evaluate(data: Path, out: Path) -> str:
    said = StringIO()
    call_command("evaluate", "conversations", "--data", str(data), "--out", str(out), "--no-llm", stdout=said)
    return said.getvalue()


def test_every_case_is_answered_and_scored(tmp_path: Path) -> None:
    case = tmp_path / "data" / "full-disk"
    (case / "evidence").mkdir(parents=True)
    (case / "case.json").write_text(json.dumps({"id": "full-disk", "question": "Why does it fail?", "alert": None}))
    (case / "answer.json").write_text(json.dumps({"answer_regexes": ["no space", "unicorn"]}))
    (case / "evidence" / "pod.log").write_text("ERROR no space left on device\n")
    table = evaluate(tmp_path / "data", tmp_path / "out")
    assert "1/2 said   1/ 1 supported" in table
    assert "0 of 1 cases" in table
    answered = json.loads((tmp_path / "out" / "full-disk.json").read_text())
    assert answered["answer"] == "ERROR: “no space left on device”."
    assert answered["claims"][0]["citations"][0] | {"id": ""} == {
        "id": "",
        "file": "pod.log",
        "lines": [1],
        "where": "pod.log:1",
    }
    assert (answered["calls"], answered["prompt_tokens"]) == (0, 0)


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"holds no cases.*case\.json"):
        evaluate(tmp_path, tmp_path / "out")


def test_public_cases_are_answered_by_code_alone(tmp_path: Path) -> None:
    data = Path(__file__).parents[5] / "shared" / "bench" / "conversations" / "dev"
    if not data.is_dir():
        pytest.skip(f"the public cases are not at {data}")
    assert "11 of 11 cases" in evaluate(data, tmp_path)
