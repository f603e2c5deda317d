import math
from datetime import timedelta
from pathlib import Path

import numpy as np

from incidents import openings
from incidents.localization.evaluation import Case
from incidents.telemetry.datamodel import MetricSeries, SeriesKey
from incidents.telemetry.recording import Recording
from tests.outage import FAULT_AT, write_outage

GAUGE = SeriesKey("cart", "process.cpu.utilization", "{}", "1")
RATE = SeriesKey("cart", "requests_per_second", "{}", "1/s")


def case_at(folder: Path) -> Case:
    return Case("a-case", "shop", folder, FAULT_AT + timedelta(minutes=1), None)


def test_an_outage_opens_soon_after_its_fault_and_nothing_before(tmp_path: Path) -> None:
    found = openings.opening(case_at(write_outage(tmp_path)), injected_at=FAULT_AT, mask=str, history=None)
    assert found.after_seconds is not None
    assert 20 <= found.after_seconds <= 60
    assert (found.false, found.quiet_minutes) == ((), 2.0)


def test_a_fault_free_recording_counts_its_minutes_and_a_late_opening_is_none(tmp_path: Path) -> None:
    calm = openings.calm(
        tmp_path,
        system="shop",
        recording=Recording.load(write_outage(tmp_path / "calm", faulty=False), mask=str),
    )
    assert calm.false == ()
    assert calm.quiet_minutes > 0
    early = openings.opening(
        case_at(write_outage(tmp_path / "outage")), injected_at=FAULT_AT - timedelta(minutes=4), mask=str, history=None
    )
    assert early.after_seconds is None
    [row] = openings.summed([calm, early])
    assert (row.system, row.cases, row.opened, row.false) == ("shop", 1, 0, 0)
    assert math.isnan(row.median_seconds)


def test_another_recording_is_laid_before_without_its_holes() -> None:
    def series(key: SeriesKey, *times: float) -> MetricSeries:
        return MetricSeries(key, np.array(times), np.arange(len(times), dtype=np.float64))

    now = [series(GAUGE, 10_000.0, 10_060.0), series(RATE, 10_010.0)]
    before = [series(GAUGE, 0.0, 60.0, 3_000.0, 3_060.0), series(RATE, 500.0, 510.0, 520.0)]
    joined = {one.key: one for one in openings.preceded(now, before)}
    assert joined[GAUGE].times.tolist() == [9_760.0, 9_820.0, 9_880.0, 9_940.0, 10_000.0, 10_060.0]
    assert joined[RATE].times.tolist() == [9_980.0, 9_990.0, 10_000.0, 10_010.0]
    assert joined[RATE].values.tolist() == [0.0, 1.0, 2.0, 0.0]
