"""Faults 46 and 47: planted secrets and personal data, by the numbers that are asked of masking."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from copilot.management.evaluations import masking
from copilot.management.evaluations.planted import ordinary


@pytest.mark.parametrize(("half", "what"), masking.CORPORA, ids=["-".join(each) for each in masking.CORPORA])
def test_what_is_planted_is_gone(half: str, what: str) -> None:
    scores = masking.recall(masking.CORPORA[half, what]("suite"))
    total = masking.summed(scores.values())
    missed = "\n".join(line for score in scores.values() for line in score.missed[:3])
    assert total.whole > 1500
    assert total.gone / total.whole >= masking.TARGETS[what], missed
    # What only the last look before sending finds stops an answer: rare, or people lose answers for it.
    assert total.stopped <= 0.01 * total.whole


@pytest.mark.parametrize("half", ["first", "second"])
def test_ordinary_lines_stay(half: str) -> None:
    count, changed = masking.hidden_in_vain(ordinary.lines(half, count=1500, seed="suite"))
    assert len(changed) <= masking.TARGETS["ordinary lines"] * count, changed[:5]


@pytest.mark.parametrize(
    ("traces", "sent", "left"),
    [
        (("abcdefghijkl",), "x cdefghij x", True),
        (("abcdefghijkl",), "x cdefghi x", False),
        (("abc",), "x abc x", True),
        (("+49 30 901820",), "49-30-901820", True),
        (("4111111111111111",), "4111-1111-1111", True),
        (("abcdefgh", "ijklmnop"), "only ijklmnop", True),
    ],
)
def test_what_counts_as_left(traces: tuple[str, ...], sent: str, left: bool) -> None:
    assert masking.is_left(traces, sent) is left


def test_the_table_and_real_logs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few: Callable[[str], object] = lambda seed: iter([*masking.first_people.planted(seed)][:200])  # noqa: E731
    monkeypatch.setattr(masking, "CORPORA", {("first", "personal data"): few})
    (tmp_path / "app.log").write_text(
        "GET /cart 200 from 203.0.113.9\nann@example.com logged in\nphone: 0151 2345678\n"
    )
    call_command("evaluate", "masking", "--lines", "60", "--data", str(tmp_path), "--misses")
    shown = capsys.readouterr().out
    assert "all personal data (≥ 95%)" in shown
    assert "95 % interval" in shown
    assert "1/3" in shown.splitlines()[-2], "a phone number; the two addresses are right"
    with pytest.raises(CommandError, match=r"no \*\.log file"):
        call_command("evaluate", "masking", "--lines", "1", "--data", str(tmp_path / "nothing"))


def test_the_same_seed_plants_the_same_and_another_other_values() -> None:
    corpus = masking.CORPORA["second", "secrets"]
    assert [*corpus("1")] == [*corpus("1")]
    assert {each.line for each in corpus("1")} != {each.line for each in corpus("2")}
