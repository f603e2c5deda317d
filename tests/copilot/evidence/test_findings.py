from dataclasses import replace
from datetime import UTC, datetime

from copilot.evidence.assessment import Assessment, Certainty
from copilot.evidence.findings import quoted, said
from copilot.evidence.hypotheses import hypotheses_of, sentence_of
from incidents.localization.suspects import Finding, Modality, Ranking, RuledOut, Suspect

SLOW = Finding(
    "payments", Modality.TRACES, "own time of POST /charges, median", 0.0015, 2.0, "s", 9.0, operation="POST /charges"
)
LINE = Finding(
    "payments",
    Modality.LOGS,
    "share",
    0.0,
    0.98,
    "1",
    8.0,
    operation="POST /charges",
    template="no connection within <*> s: <*> of <*>",
)
CHANGE = Finding(
    "payments",
    Modality.CHANGES,
    "deploy",
    float("nan"),
    float("nan"),
    "",
    2.0,
    onset_at=datetime(2026, 3, 14, 2, 41, 8, tzinfo=UTC),
    exemplars=("2.13.4", "2.14.0"),
)
PAYMENTS = Suspect("payments", 0.7, (CHANGE, LINE, SLOW), "", confidence=0.9)


def test_findings_read_as_people_say_them() -> None:
    assert said(SLOW) == "median own time of POST /charges rose from 1.5 ms to 2 s"
    assert said(LINE) == "98 % of POST /charges log “no connection within … s: … of …”, none before"
    assert said(CHANGE) == "it changed from 2.13.4 to 2.14.0 at 02:41:08"
    assert "3.0 × as often" in said(replace(LINE, unit="1/request", before=1.0, after=3.0))


def test_a_suspect_is_one_sentence_with_its_change_last() -> None:
    assert sentence_of(PAYMENTS) == f"{said(SLOW)}; {said(LINE)}; {said(CHANGE)}"


def test_long_lines_are_cut_at_a_word() -> None:
    assert quoted("word " * 40).endswith("word …”")


def test_what_is_ruled_out_names_what_explains_it_and_noise_is_no_hypothesis() -> None:
    ranking = Ranking(
        suspects=(PAYMENTS, Suspect("cart", 0.01, (SLOW,), "")),
        ruled_out=(RuledOut("orders", "because", SLOW),),
        margin=0.6,
        missing=(),
        edges=(),
        next_check="",
    )
    assessed = Assessment("payments", Certainty.LIKELY, 0.9, 0.9, "", (), (), ())
    likely, ruled = hypotheses_of(ranking, (), assessed)
    assert (likely.service, likely.verdict) == ("payments", "likely")
    unsure, _ = hypotheses_of(ranking, (), replace(assessed, certainty=Certainty.INCONCLUSIVE))
    assert unsure.verdict == "possible"
    assert ruled.sentence.startswith("what it shows is explained by payments, where median own time")
