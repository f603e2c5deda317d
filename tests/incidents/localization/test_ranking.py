import dataclasses
import math

import pytest

from incidents.localization.ranking import rank
from incidents.localization.suspects import Modality, Ranking
from incidents.telemetry.datamodel import Window
from tests.incidents.localization.shop import CALM, OUTAGE, SERVICES, Memory, Shop

FAULTS = {
    "leaked pool": "orders",
    "missing index": "catalog",
    "slow downstream": "payments",
    "bad deploy": "orders",
    "cpu hog": "recommendations",
    "cache stampede": "recommendations",
    "down": "catalog",
}


def ranked(memory: Memory) -> Ranking:
    return rank(memory, incident=OUTAGE, reference=CALM)


@pytest.mark.parametrize(("fault", "culprit"), FAULTS.items())
def test_each_fault_is_found_where_it_is(fault: str, culprit: str) -> None:
    ranking = ranked(Shop(fault).serve())
    first, second, *_ = ranking.suspects
    assert first.service == culprit, [(suspect.service, suspect.reason) for suspect in ranking.suspects]
    assert first.score > 2 * second.score
    assert first.findings
    assert first.findings[0].onset_at is not None
    assert first.findings[0].onset_at >= OUTAGE.start
    assert culprit in ranking.next_check or first.findings[0].trace_id in ranking.next_check


@pytest.mark.parametrize("fault", ["leaked pool", "missing index", "slow downstream", "bad deploy", "cpu hog"])
@pytest.mark.parametrize("seed", [2, 3])
def test_the_same_with_other_customers(fault: str, seed: int) -> None:
    assert ranked(Shop(fault, seed=seed).serve()).suspects[0].service == FAULTS[fault]


def test_findings_carry_what_evidence_needs() -> None:
    index = ranked(Shop("missing index").serve()).suspects[0].findings[0]
    assert (index.modality, index.operation, index.unit) == (Modality.TRACES, "SELECT products", "s")
    assert index.before == pytest.approx(0.003, rel=0.2)
    assert index.after == pytest.approx(0.22, rel=0.2)
    assert len(bytes.fromhex(index.trace_id)) == 16
    hog = next(f for f in ranked(Shop("cpu hog").serve()).suspects[0].findings if f.series)
    assert hog.series is not None
    assert (hog.series.service, hog.series.name) == ("recommendations", "process.cpu.utilization")
    assert hog.after == pytest.approx(0.97)
    deploy = ranked(Shop("bad deploy").serve()).suspects[0].findings
    assert any("unknown discount code" in finding.template for finding in deploy)
    assert any(finding.modality is Modality.CHANGES and finding.exemplars == ("1.4.0", "1.5.0") for finding in deploy)


def test_callers_of_the_culprit_are_ruled_out_with_a_reason() -> None:
    ranking = ranked(Shop("bad deploy").serve())
    cleared = {one.service: one for one in ranking.ruled_out}
    assert "storefront" in cleared or ranking.suspects[1].score < 0.1
    for one in cleared.values():
        assert "orders" in one.reason
        assert one.finding is not None


def test_calm_accuses_nobody_in_particular() -> None:
    ranking = ranked(Shop().serve())
    assert ranking.suspects[0].score < 0.5
    assert {suspect.service for suspect in ranking.suspects} == set(SERVICES)


def test_shares_add_up_to_at_most_one_and_fall() -> None:
    ranking = ranked(Shop("leaked pool").serve())
    shares = [suspect.score for suspect in ranking.suspects]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1
    assert ranking.margin == pytest.approx(shares[0] - shares[1])
    assert ("storefront", "orders") in ranking.edges


def test_missing_modalities_are_told_and_the_rest_still_ranks() -> None:
    memory = Shop("leaked pool").serve()
    assert ranked(memory).missing == ()
    without_logs = dataclasses.replace(memory, logs=[])
    assert ranked(without_logs).missing == (Modality.LOGS,)
    assert ranked(without_logs).suspects[0].service == "orders"
    only_metrics = dataclasses.replace(memory, logs=[], spans=[])
    assert ranked(only_metrics).missing == (Modality.TRACES, Modality.LOGS)
    assert ranked(only_metrics).suspects[0].service == "orders"
    only_logs = dataclasses.replace(memory, metrics=[], spans=[])
    assert ranked(only_logs).suspects[0].service == "orders"


def test_nothing_at_all_says_so() -> None:
    ranking = ranked(Memory())
    assert ranking.suspects == ()
    assert set(ranking.missing) == {Modality.METRICS, Modality.TRACES, Modality.LOGS}
    assert ranking.margin == 0
    assert "Widen the window" in ranking.next_check


def test_a_baseline_excuses_a_reference_that_was_already_broken() -> None:
    """The minutes before may hold the same fault: then only the fault-free recording shows that anything is wrong."""
    broken = Shop("bad deploy").serve()
    late = Window(OUTAGE.start + (OUTAGE.end - OUTAGE.start) / 2, OUTAGE.end)
    early = Window(OUTAGE.start, late.start)
    healthy = Shop(seed=9).serve()
    ranking = rank(broken, incident=late, reference=early, baseline=healthy, baseline_window=CALM)
    assert ranking.suspects[0].service == "orders"


def test_a_baseline_without_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="baseline_window"):
        rank(Memory(), incident=OUTAGE, reference=CALM, baseline=Memory())


def test_the_same_input_gives_the_same_ranking() -> None:
    assert repr(ranked(Shop("cache stampede").serve())) == repr(ranked(Shop("cache stampede").serve()))


def test_nan_and_infinite_samples_do_no_harm() -> None:
    memory = Shop("cpu hog").serve()
    for series in memory.metrics:
        series.values[::7] = math.nan
    memory.metrics[0].values[3] = math.inf
    assert ranked(memory).suspects[0].service == "recommendations"
