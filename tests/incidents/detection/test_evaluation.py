import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from incidents.detection import evaluation
from incidents.telemetry import series_file

START = datetime(2026, 3, 2, tzinfo=UTC)


def stamp(sample: int) -> str:
    return (START + timedelta(minutes=5 * sample)).strftime("%Y-%m-%d %H:%M:%S")


def write(path: Path, values: NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{stamp(number)},{value}" for number, value in enumerate(values)]
    path.write_text("\n".join(["timestamp,value", *lines]) + "\n", encoding="utf-8")


def judged(alarms: list[int], *windows: tuple[int, int], samples: int = 1000) -> evaluation.Outcome:
    series = series_file.SeriesFile(
        (), START.timestamp() + np.linspace(0, 300.0 * (samples - 1), samples), np.zeros(samples)
    )
    news = np.zeros(samples)
    news[alarms] = 0.9
    return evaluation.judge("one", series, news, [[stamp(a), stamp(b)] for a, b in windows])


def test_an_alarm_at_the_window_s_beginning_earns_one_and_a_late_one_less() -> None:
    assert judged([500], (500, 600)).points == pytest.approx(1.0)
    assert 0.8 < judged([550], (500, 600)).points < 0.9
    assert judged([600], (500, 600)).points < 0.1
    assert judged([550, 560, 570], (500, 600)).points == judged([550], (500, 600)).points


def test_a_missed_window_costs_one_and_a_false_alarm_eleven_hundredths() -> None:
    assert (judged([], (500, 600)).points, judged([], (500, 600)).missed) == (-1.0, 1)
    outcome = judged([400, 500], (500, 600))
    assert outcome.points == pytest.approx(1.0 - 0.11)
    assert outcome.false_alarms == 1
    assert -0.05 < judged([500, 605], (500, 600)).points - 1.0 < 0.0  # shortly after a window it is nearly right


def test_the_first_samples_are_not_judged() -> None:
    assert judged([100], (500, 600)).false_alarms == 0
    assert judged([160], (500, 600)).false_alarms == 1


def test_nothing_said_is_zero_and_all_right_a_hundred() -> None:
    assert evaluation.score("none", [judged([], (500, 600))]).value == 0.0
    perfect = evaluation.score("all", [judged([500], (500, 600)), judged([700], (700, 790))])
    assert perfect.value == pytest.approx(100.0)
    assert perfect.interval == pytest.approx((100.0, 100.0))
    assert evaluation.score("no windows", [judged([])]).value is None


def test_a_folder_is_evaluated_and_its_labels_must_fit(tmp_path: Path) -> None:
    values = np.random.default_rng(1).standard_normal(600)
    values[400:420] += 20.0
    write(tmp_path / "data/group/one.csv", values)
    assert evaluation.find_windows(tmp_path) is None
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/combined_windows.json").write_text(json.dumps({"group/one.csv": [[stamp(390), stamp(430)]]}))
    series, windows = evaluation.find_series(tmp_path), evaluation.find_windows(tmp_path)
    assert windows is not None
    said = evaluation.run(series)["group/one.csv"]
    outcome = evaluation.judge("one", series["group/one.csv"], said.news, windows["group/one.csv"])
    assert outcome.missed == 0
    with pytest.raises(evaluation.EvaluationError, match="begins or ends at no sample"):
        evaluation.judge("one", series["group/one.csv"], said.news, [["2030-01-01 00:00:00", stamp(430)]])
    with pytest.raises(evaluation.EvaluationError, match="holds no CSV"):
        evaluation.find_series(tmp_path / "labels")
