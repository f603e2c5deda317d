import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.answers.claim_stream import ClaimReader, RawClaim, Unreadable, schema

WHOLE = json.dumps(
    {
        "claims": [
            {"text": 'The pool is "full" at 3.1 s \u2014 é.', "cites": ["E1", "E2"]},
            {"text": "So.", "cites": ["E3"]},
        ]
    }
)
CLAIMS = [RawClaim('The pool is "full" at 3.1 s — é.', ("E1", "E2")), RawClaim("So.", ("E3",))]


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_the_same_claims_come_however_the_text_is_cut(cuts: list[int]) -> None:
    reader, found = ClaimReader(), []
    edges = [0, *sorted(cuts), len(WHOLE)]
    for start, end in itertools.pairwise(edges):
        finished, _ = reader.feed(WHOLE[start:end])
        found += finished
    assert found == reader.claims == reader.end() == CLAIMS


def test_a_sentence_is_seen_while_it_grows() -> None:
    reader = ClaimReader()
    assert reader.feed('{"claims": [{"text": "The po') == ([], RawClaim("The po", ()))
    assert reader.feed('ol is full.", "cites": ["E1"') == ([], RawClaim("The pool is full.", ("E1",)))
    assert reader.feed("]}, {") == ([RawClaim("The pool is full.", ("E1",))], None)


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_a_cut_reply_is_never_whole_and_keeps_only_finished_claims(cut: int) -> None:
    reader = ClaimReader()
    reader.feed(WHOLE[:cut])
    assert reader.claims == CLAIMS[: len(reader.claims)]
    with pytest.raises(Unreadable):
        reader.end()


@pytest.mark.parametrize(
    "reply",
    [
        "I think the pool is full.",
        '```json\n{"claims": []}\n```',
        "[]",
        "{}",
        '{"claims": {}}',
        '{"claims": [1]}',
        '{"claims": [{"text": 1, "cites": []}]}',
        '{"claims": [{"text": "a"}]}',
        '{"claims": [{"text": "a", "cites": "E1"}]}',
        '{"claims": [{"text": "a", "cites": [1]}]}',
        '{"claims": []} and more',
        '{"claims": [{"text": "a", "cites": []}',
    ],
)
def test_what_is_not_the_json_asked_for_is_refused(reply: str) -> None:
    reader = ClaimReader()
    reader.feed(reply)
    with pytest.raises(Unreadable, match="refused"):
        reader.end()


def test_only_existing_ids_may_be_cited() -> None:
    item = schema(("E1", "E2"))["properties"]["claims"]["items"]
    assert item["properties"]["cites"]["items"]["enum"] == ["E1", "E2"]
    assert item["properties"]["text"]["maxLength"] == 240
