import pytest

from incidents.localization.grouping_score import score


def test_a_group_counts_only_when_it_holds_exactly_its_lines() -> None:
    found = score(["a", "a", "b", "b", "c"], [1, 1, 2, 3, 4])
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.f1 == pytest.approx(2 * 2 / (3 + 4))
    assert (found.true_groups, found.found_groups, found.lines) == (3, 4, 5)
    assert found.interval[0] <= found.accuracy <= found.interval[1]


def test_labels_may_be_named_otherwise() -> None:
    assert score(["a", "b", "a"], [7, 8, 7]).interval == (1.0, 1.0)


def test_unequal_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="2 true labels and 1 found"):
        score(["a", "b"], [1])
