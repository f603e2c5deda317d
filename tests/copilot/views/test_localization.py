"""What the localization panel says, and what it leaves open."""

from dataclasses import replace

import pytest

from copilot.evidence.bundle import from_json, to_json
from copilot.evidence.located import Located
from copilot.views.localization import panel
from copilot.views.service_map import service_map
from tests import cast, suspects


@pytest.mark.parametrize(
    ("located", "said", "check"),
    [
        (
            suspects.located(since=cast.START),
            "payments is the cause with a chance of 91 %, 86 points ahead of checkout.",
            "confirm",
        ),
        (
            suspects.located(since=cast.START, first=0.45, second=0.4),
            "No cause is named: the evidence does not separate payments (45 %) from checkout (40 %).",
            "separate",
        ),
        (
            suspects.located(since=cast.START, first=0.7499, second=0.1),
            "No cause is named: payments comes first, 65 points ahead of checkout, but a chance of 74 % is less than the 75 % that it takes.",
            "separate",
        ),
        (
            replace(suspects.located(since=cast.START), suspects=(), is_named=False),
            "No cause is named: nothing beyond the usual was found in any service.",
            "separate",
        ),
    ],
)
def test_a_cause_is_named_only_when_the_evidence_separates_it(located: Located, said: str, check: str) -> None:
    shown = panel(replace(cast.bundle(), located=located))
    assert shown is not None
    assert shown.verdict == said
    assert check in shown.next_check_title
    assert [one.is_named for one in shown.suspects if one.is_named] == [True] * located.is_named


def test_only_items_that_exist_are_cited() -> None:
    bundle = cast.bundle()
    shown = panel(replace(bundle, items=tuple(item for item in bundle.items if item.id != "E4")))
    assert shown is not None
    assert shown.suspects[0].supporting == ("E1",)
    assert shown.suspects[1].opposing == ("E5",)
    assert shown.cleared[0].cites == ("E8",)
    assert shown.rests_on == "949 requests compared; no logs"


def test_the_map_shows_who_went_wrong_how_much_later() -> None:
    drawn = service_map(cast.bundle())
    assert drawn is not None
    below = {node.name: node.sub for node in drawn.nodes}
    assert (below["payments"], below["checkout"], below["cart"]) == ("+0 s", "+41 s", "")


def test_what_was_pinned_before_there_was_a_panel_has_none() -> None:
    assert from_json(to_json(cast.bundle())) == cast.bundle()
    older = {name: value for name, value in to_json(cast.bundle()).items() if name != "located"}
    assert panel(from_json(older)) is None
