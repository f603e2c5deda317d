"""Evidence items as the page shows them."""

from dataclasses import replace

from copilot.evidence.bundle import Kind
from copilot.views.evidence_cards import LINES_SHOWN, SPANS_SHOWN, card, cards
from copilot.views.sparkline import sparkline
from tests import cast


def test_a_card_is_cut_and_its_own_page_is_whole() -> None:
    bundle = cast.bundle()
    item = bundle.get("E4")
    assert item is not None
    assert len(card(item, bundle=bundle).lines) == LINES_SHOWN
    assert len(card(item, bundle=bundle, whole=True).lines) == 20
    assert card(item, bundle=bundle).line_count == 4212


def test_levels_and_times_of_log_lines() -> None:
    bundle = cast.bundle()
    item = bundle.get("E4")
    assert item is not None
    lines = card(item, bundle=bundle).lines
    assert [line.level for line in lines[:3]] == ["ERROR", "WARN", "INFO"]
    assert lines[0].at == "02:46:12.000"


def test_a_long_trace_keeps_its_hot_span() -> None:
    bundle = cast.bundle()
    item = bundle.get("E5")
    assert item is not None
    row = dict(item.detail["spans"][1], duration_ms=9.0)
    spans = [*item.detail["spans"][:4], *([row] * 50), dict(item.detail["spans"][4], duration_ms=1.0)]
    shown = card(replace(item, detail={**item.detail, "spans": spans}), bundle=bundle).spans
    assert len(shown) == SPANS_SHOWN
    assert shown[-1].is_hot


def test_a_chart_knows_the_incident_and_the_changes() -> None:
    drawn = {each.id: each for each in cards(cast.bundle(), brief=None)}
    chart = drawn["E1"].chart
    assert chart is not None
    assert chart["from"] == cast.START.timestamp()
    assert [change["text"] for change in chart["changes"]] == ["2.14.0"]
    assert drawn["E4"].chart is None


def test_an_item_without_points_has_no_chart() -> None:
    bundle = cast.bundle()
    item = bundle.get("E2")
    assert item is not None
    assert item.kind is Kind.METRIC
    bare = replace(item, detail={**item.detail, "times": [], "values": []})
    assert card(bare, bundle=bundle).chart is None
    assert sparkline(replace(bundle, items=(bare,))) is None


def test_a_gap_in_the_data_is_a_gap_in_the_line() -> None:
    drawn = sparkline(cast.bundle())
    assert drawn is not None
    assert drawn.path.count("M") == 2
