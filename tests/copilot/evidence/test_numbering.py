from dataclasses import replace

from copilot.evidence.numbering import numbered
from tests.copilot.answers.test_brief import BUNDLE


def test_a_second_look_never_gives_a_number_another_meaning() -> None:
    same, gone = BUNDLE.items[0], BUNDLE.items[1]
    new = replace(gone, statement="payments db pool rose from 4 to 25.")
    items, earlier = numbered([replace(same, id=""), replace(new, id="")], former=BUNDLE)
    assert [item.id for item in items] == [same.id, f"E{len(BUNDLE.items) + 1}"]
    assert gone in earlier
    bundle = replace(BUNDLE, items=items, earlier=earlier)
    assert bundle.get(gone.id) == gone
    third, kept = numbered([replace(gone, id="")], former=bundle)
    assert third[0].id == gone.id
    assert items[1] in kept


def test_the_first_look_counts_from_one() -> None:
    items, earlier = numbered([replace(item, id="") for item in BUNDLE.items], former=None)
    assert [item.id for item in items] == ["E1", "E2", "E3", "E4", "E5"]
    assert earlier == ()
