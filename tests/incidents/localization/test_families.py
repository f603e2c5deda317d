import pytest

from incidents.localization import diagnosis_score
from incidents.localization.families import family_of, inner_of
from incidents.localization.findings import NO_ROWS, Lead
from incidents.localization.ranking import rank
from incidents.localization.suspects import Family, Finding, Inner, Modality
from tests.incidents.localization.shop import CALM, OUTAGE, Shop


def lead(family: Family, strength: float, *, operation: str = "") -> Lead:
    modality = Modality.METRICS if family is Family.RESOURCE else Modality.TRACES
    finding = Finding("orders", modality, "x", 0.0, 1.0, "1", strength, operation=operation)
    return Lead(finding, "own time", NO_ROWS, family)


@pytest.mark.parametrize(
    ("fault", "family", "kind"),
    [
        ("leaked pool", Family.RESOURCE, "resource"),
        ("missing index", Family.LATENCY, "operation"),
        ("slow downstream", Family.LATENCY, "operation"),
        ("bad deploy", Family.ERROR, "log template"),
        ("cpu hog", Family.RESOURCE, "resource"),
        ("down", Family.ERROR, ""),
    ],
)
def test_each_kind_of_fault_is_told_with_its_place(fault: str, family: Family, kind: str) -> None:
    first = rank(Shop(fault).serve(), incident=OUTAGE, reference=CALM).suspects[0]
    assert (first.family, first.inner.kind) == (family, kind)


def test_what_runs_out_explains_what_is_slow_unless_it_hardly_moved() -> None:
    slow = lead(Family.LATENCY, 6.0, operation="GET /cart")
    assert family_of([slow, lead(Family.RESOURCE, 4.0)]) is Family.RESOURCE
    assert family_of([slow, lead(Family.RESOURCE, 1.0)]) is Family.LATENCY
    assert family_of([lead(Family.CODE_PATH, 6.0), lead(Family.ERROR, 4.0)]) is Family.ERROR
    assert family_of([lead(Family.UNCLEAR, 6.0)]) is Family.UNCLEAR
    assert family_of([lead(Family.RESOURCE, 0.0)]) is Family.UNCLEAR
    assert inner_of([slow], Family.LATENCY) == Inner("operation", "GET /cart", "GET /cart")
    assert inner_of([], Family.UNCLEAR) == Inner()


def test_a_place_is_right_when_it_is_the_metric_the_connection_or_the_statement() -> None:
    cpu = {"fault_family": "cpu", "inner": {"bundle_metric": "cpu_usage_pct"}}
    code = {"fault_family": "code", "inner": {"after": "Orders#31", "before": "Orders#34"}}
    assert diagnosis_score.is_place(Inner("resource", "cpu_usage_pct"), cpu)
    assert not diagnosis_score.is_place(Inner("resource", "memory_usage_pct"), cpu)
    assert diagnosis_score.is_place(Inner("log template", "ERROR Orders#37 none"), code)
    assert not diagnosis_score.is_place(Inner("operation", "GET /orders"), code)
    assert diagnosis_score.is_place(Inner("connection", "time between a and b"), {"fault_family": "network"})
