"""Passages: by heading, whole steps and code blocks, small enough, the same each time."""

from hypothesis import given
from hypothesis import strategies as st

from runbooks.chunking import MAX_WORD_PIECES, plain_text, split, split_names, word_pieces

TEXT = """# Pool exhausted

When it waits.

## Steps

1. Confirm:

   ```sql
   SELECT 1;

   # not a heading
   ```
2. Roll back.

### If that fails

Call somebody.
"""


def test_a_passage_has_the_path_of_headings_above_it() -> None:
    pieces = split(TEXT, title="Pool exhausted")
    assert [piece.heading for piece in pieces] == [
        "Pool exhausted",
        "Pool exhausted › Steps",
        "Pool exhausted › Steps › If that fails",
    ]
    assert [piece.position for piece in pieces] == [0, 1, 2]
    assert TEXT.splitlines()[pieces[1].first_line] == "1. Confirm:"


def test_a_step_keeps_its_code_block() -> None:
    step = split(TEXT, title="Pool exhausted")[1].text
    assert step.startswith("1. Confirm:")
    assert "# not a heading" in step
    assert step.endswith("2. Roll back.")


def test_long_lists_are_cut_between_steps() -> None:
    steps = "\n".join(f"{n}. " + "Look at the connection usage of the service. " * 5 for n in range(1, 21))
    pieces = split(f"## Steps\n\n{steps}\n", title="Long")
    assert len(pieces) > 3
    assert all(piece.text[0].isdigit() for piece in pieces)
    assert "".join(piece.text for piece in pieces).count("Look at") == 100


def test_both_parts_of_a_long_code_block_are_fenced() -> None:
    pieces = split("````sh\n" + "kubectl get pods --namespace shop\n" * 60 + "````\n", title="Long")
    assert len(pieces) > 1
    for piece in pieces:
        assert piece.text.startswith("````sh\n")
        assert piece.text.endswith("\n````")
    assert sum(piece.text.count("kubectl") for piece in pieces) == 60


def test_a_paragraph_without_an_end_is_cut_and_nothing_is_lost() -> None:
    pieces = split("word " * 3_000 + "x" * 5_000, title="Long")
    assert max(word_pieces(piece.text) for piece in pieces) <= MAX_WORD_PIECES
    assert sum(piece.text.count("word") for piece in pieces) == 3_000
    assert sum(piece.text.count("x") for piece in pieces) == 5_000


@given(st.text(alphabet="# \n-`1.ab|>*", max_size=400))
def test_any_text_can_be_cut(text: str) -> None:
    pieces = split(text, title="T")
    assert pieces == split(text, title="T")
    assert all(piece.text and word_pieces(piece.text) <= 2 * MAX_WORD_PIECES for piece in pieces)


def test_joined_names_are_parted_and_versions_are_not() -> None:
    assert (
        split_names("db.client.usage pool_size PoolTimeout 2.4.0", keep_whole=False)
        == "db client usage pool size Pool Timeout 2.4.0"
    )
    assert split_names("HTTPError", keep_whole=True) == "HTTPError HTTP Error"


def test_plain_text_has_no_signs_of_markdown() -> None:
    markdown = "1. **Roll** back, see [Pool](pool.md):\n\n   ```sh\n   psql -c x\n   ```\n2. `wait`\n"
    assert plain_text(markdown) == "Roll back, see Pool: · psql -c x · wait"
