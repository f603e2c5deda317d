import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from incidents.localization import evaluation
from tests.outage import FAULT_AT, write_outage


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One system with one outage of which the cause is known, and its fault-free reference."""
    folder = tmp_path_factory.mktemp("cases")
    write_outage(folder / "_reference" / "calm", faulty=False)
    case = write_outage(folder / "tiny" / "tiny-1")
    alert_at = FAULT_AT.replace(minute=FAULT_AT.minute + 2)
    told = {"case": "tiny-1", "dataset": "tiny", "alert_at": alert_at.isoformat(), "reference": "_reference/calm"}
    (case / "case.json").write_text(json.dumps(told))
    truth = [{"case": "tiny-1", "dataset": "tiny", "service": "payments", "fault_type": "leak"}]
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder


def evaluate(*arguments: object) -> str:
    out = StringIO()
    call_command("evaluate", *map(str, arguments), stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("below", ["", "tiny"])
def test_the_command_ranks_scores_and_writes(data: Path, tmp_path: Path, below: str) -> None:
    told = evaluate("localization", "--data", data / below, "--out", tmp_path)
    written = json.loads((tmp_path / "tiny-1.json").read_text())
    assert written["case"] == "tiny-1"
    assert written["ranked_services"][0] == "payments"
    assert written["elapsed_s"] > 0
    assert "tiny / leak" in told
    assert "100.0%" in told


def test_variations_tell_what_each_signal_is_worth(data: Path, tmp_path: Path) -> None:
    told = evaluate("localization", "--data", data, "--out", tmp_path, "--variations")
    rows = {line[:34].strip(): line for line in told.splitlines() if line.startswith("tiny / ")}
    assert {"tiny / as it is", "tiny / without metrics", "tiny / logs alone", "tiny / the first minute"} <= set(rows)
    assert "100.0%" in rows["tiny / as it is"]
    assert "100.0%" in rows["tiny / half of the traces"]


def test_without_a_truth_it_only_ranks(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "TRUTH_FILES", ())
    told = evaluate("localization", "--data", data, "--out", tmp_path, "--use", "traces")
    assert "nothing to score" in told


def test_bad_input_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="not a folder"):
        evaluate("localization", "--data", tmp_path / "nowhere", "--out", tmp_path)
    with pytest.raises(CommandError, match="holds no case"):
        evaluate("localization", "--data", tmp_path, "--out", tmp_path)
    with pytest.raises(CommandError, match="metrics, traces, logs"):
        evaluate("localization", "--data", data, "--out", tmp_path, "--use", "rumours")
    with pytest.raises(CommandError):
        evaluate("astrology", "--data", data, "--out", tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "case.json").write_text('{"case": "x", "alert_at": "2026-01-01T00:00:00"}')
    with pytest.raises(CommandError, match="time zone"):
        evaluate("localization", "--data", tmp_path / "bad", "--out", tmp_path)
    (tmp_path / "bad" / "case.json").write_text("{")
    with pytest.raises(CommandError, match=r"case\.json"):
        evaluate("localization", "--data", tmp_path / "bad", "--out", tmp_path)


def test_wilson_interval() -> None:
    low, high = evaluation.wilson(9, 10)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert evaluation.wilson(0, 5)[0] == 0
    assert evaluation.wilson(5, 5)[1] == pytest.approx(1)
