"""What may be said of a leading suspect: payments is slow, checkout shows it, the store below payments is well."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from copilot.evidence.assessment import Assessment, Attempt, Certainty, Result, from_json
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind, Role, to_json
from copilot.evidence.bundle import from_json as bundle_from_json
from copilot.evidence.judgement import CAP_REFUTED, CAP_TEXT, assess
from copilot.evidence.refutation import Case
from incidents.detection.anomaly import Direction, Episode
from incidents.localization.suspects import Finding, Modality, Ranking, Suspect
from incidents.telemetry.datamodel import SeriesKey

START = datetime(2026, 11, 20, 2, 44, tzinfo=UTC)
END = START + timedelta(minutes=15)
EDGES = (("checkout", "payments"), ("payments", "database"), ("storefront", "checkout"))


def finding(service: str, modality: Modality = Modality.TRACES, **changes: Any) -> Finding:
    values = {"before": 0.002, "after": 2.0, "unit": "s", "strength": 8.0, "onset_at": START, **changes}
    return Finding(service, modality, "own time of POST /charge, median", **values)


def suspect(service: str, confidence: float, *findings: Finding) -> Suspect:
    return Suspect(service, confidence, findings, "", confidence=confidence)


def episode(service: str, *, began: float, ended: float | None = None) -> Episode:
    """An anomaly, in minutes after the start."""
    at = START + timedelta(minutes=began)
    return Episode(
        key=SeriesKey(service, "duration_p95", unit="s"),
        direction=Direction.UP,
        started_at=at,
        detected_at=at,
        peaked_at=at,
        ended_at=None if ended is None else START + timedelta(minutes=ended),
        usual_low=0.0,
        usual_high=0.1,
        peak=2.0,
        score=9.0,
    )


def item(id_: str, kind: Kind, role: Role, service: str, **more: Any) -> Evidence:
    return Evidence(id_, kind, role, service, f"{service} signal", f"{service} moved.", START, END, **more)


TRAFFIC = item(
    "E3", Kind.METRIC, Role.CONTEXT, "storefront",
    statistic={"factor": {"value": 1.01, "unit": "×"}, "after": {"value": 5.0, "unit": "1/s"}},
)  # fmt: skip
CAUSE = item("E2", Kind.TRACE, Role.CAUSE, "payments")
SYMPTOM = item("E1", Kind.METRIC, Role.SYMPTOM, "checkout")


def case(*, episodes: tuple[Episode, ...] | None = None, **changes: Any) -> Case:
    """Everything speaks for payments; what is given is different."""
    found = (finding("payments"), finding("payments", Modality.METRICS, unit="%", before=6.0, after=88.0))
    ranking = Ranking(
        suspects=(suspect("payments", 0.97, *found), suspect("checkout", 0.01)),
        ruled_out=(),
        margin=0.9,
        missing=(),
        edges=EDGES,
        next_check="",
    )
    both = (episode("payments", began=0, ended=10), episode("checkout", began=0.5, ended=11))
    return replace(
        Case(ranking, (SYMPTOM, CAUSE, TRAFFIC), both if episodes is None else episodes, START, END), **changes
    )


def ranked(of: Case, **changes: Any) -> Case:
    return replace(of, ranking=replace(of.ranking, **changes))


def attempt(found: Assessment, check: str) -> Attempt:
    return next(one for one in found.attempts if one.check == check)


def test_a_suspect_that_withstands_everything_is_confirmed() -> None:
    found = assess(case())
    assert [one.check for one in found.attempts if one.result is not Result.WITHSTOOD] == []
    assert (found.service, found.certainty, found.confidence, found.caps) == ("payments", Certainty.CONFIRMED, 0.97, ())
    assert found.questions == ()


def test_before_it_has_recovered_it_is_likely_at_most() -> None:
    found = assess(case(episodes=(episode("payments", began=0), episode("checkout", began=0.5))))
    assert found.certainty is Certainty.LIKELY
    assert found.questions == ("Did the others recover without payments, or it without them?",)


LATE = (episode("payments", began=4, ended=10), episode("checkout", began=0, ended=11))
ALONE = (episode("payments", began=0), episode("checkout", began=0.5, ended=6))


@pytest.mark.parametrize(
    ("given", "check", "said"),
    [
        (
            ranked(
                case(episodes=LATE), suspects=(suspect("payments", 0.97, finding("payments", onset_at=None)),)
            ),
            "order",
            "payments left its usual range at 02:48:00, 4 min 0 s after checkout.",
        ),
        (case(episodes=ALONE), "recovery", "The others were back to usual at 02:50:00; payments was not."),
        (
            ranked(case(), suspects=(suspect("payments", 0.97, finding("payments", before=1.6)),)),
            "before",
            "What speaks against payments was much the same before: median own time of POST /charge rose from 1.6 s to 2 s.",
        ),
        (
            ranked(
                case(episodes=(episode("payments", began=4), episode("database", began=0))),
                suspects=(
                    suspect("payments", 0.97, finding("payments", onset_at=START + timedelta(minutes=4))),
                    suspect("database", 0.02, finding("database")),
                ),
            ),
            "dependencies",
            "database, which payments depends on, went wrong too: median own time of POST /charge rose from 2 ms to 2 s.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_so_refutes_it(given: Case, check: str, said: str) -> None:
    found = assess(given)
    assert (attempt(found, check).result, attempt(found, check).answer) == (Result.REFUTED, said)
    assert found.certainty is Certainty.INCONCLUSIVE
    assert found.confidence <= CAP_REFUTED[1]
    assert found.calibrated == 0.97
    assert "refuted it" in found.caps[-1].reason or len(found.caps) > 1


def test_a_chart_that_went_as_far_before_refutes_it() -> None:
    times = [(START + timedelta(minutes=minute)).timestamp() for minute in range(-10, 5)]
    chart = item(
        "E2", Kind.METRIC, Role.CAUSE, "payments",
        statistic={"before": {"value": 6.0, "unit": "%"}, "after": {"value": 88.0, "unit": "%"}},
        detail={"times": times, "values": [90.0, 6.0, 91.0, 91.0, None, 6.0, 89.0, 6.0, 90.0, 6.0, *[88.0] * 5]},
    )  # fmt: skip
    found = attempt(assess(case(items=(SYMPTOM, chart, TRAFFIC))), "before")
    assert (found.result, found.cites) == (Result.REFUTED, ("E2",))
    assert "5 of the 9 points" in found.answer
    now_and_then = replace(chart, detail={**chart.detail, "values": [90.0, *[6.0] * 9, *[88.0] * 5]})
    assert attempt(assess(case(items=(SYMPTOM, now_and_then, TRAFFIC))), "before").result is Result.WITHSTOOD


@pytest.mark.parametrize(("strength", "result"), [(7.0, "withstood"), (12.0, "withstood"), (30.0, "refuted")])
def test_far_worse_next_to_it_refutes_it_and_far_away_it_does_not(strength: float, result: str) -> None:
    for service, expected in (("database", result), ("checkout", result), ("catalog", "withstood")):
        suspects = (*case().ranking.suspects[:1], suspect(service, 0.01, finding(service, strength=strength)))
        assert attempt(assess(ranked(case(), suspects=suspects)), "worse").result == expected


def test_a_change_of_a_rival_leaves_a_question_and_its_own_speaks_for_it() -> None:
    for service, result in (("payments", Result.WITHSTOOD), ("database", Result.OPEN), ("catalog", Result.WITHSTOOD)):
        change = item(
            "E4", Kind.CHANGE, Role.CONTEXT, service, detail={"at": (START - timedelta(minutes=3)).isoformat()}
        )
        found = attempt(assess(case(items=(SYMPTOM, CAUSE, TRAFFIC, change))), "change")
        assert (found.result, found.cites) == (result, ("E4",))


def test_services_out_of_its_reach_leave_a_question() -> None:
    suspects = (*case().ranking.suspects, suspect("catalog", 0.01, finding("catalog")))
    found = attempt(assess(ranked(case(), suspects=suspects)), "reach")
    assert found.result is Result.OPEN
    assert found.answer.startswith("catalog neither calls payments nor is called by it")


def test_what_is_missing_and_what_others_can_write_hold_the_confidence_down() -> None:
    blind = assess(ranked(case(), missing=(Modality.LOGS,)))
    assert (blind.confidence, blind.caps[0].reason) == (0.9, "there were no logs to look at")
    assert blind.certainty is Certainty.CONFIRMED  # at 0.9 it may still be said
    blinder = assess(ranked(case(), missing=(Modality.LOGS, Modality.METRICS), edges=()))
    assert blinder.confidence == 0.8
    assert "could not be answered" in blinder.caps[1].reason
    told = suspect("payments", 0.97, finding("payments", Modality.LOGS, unit="1", template="pool exhausted"))
    written = assess(ranked(case(), suspects=(told,)))
    assert written.confidence == CAP_TEXT
    assert "100% of what speaks for it is log text, which others can write" in [cap.reason for cap in written.caps]
    assert written.certainty is Certainty.LIKELY


def test_without_a_suspect_nothing_is_said() -> None:
    found = assess(ranked(case(), suspects=()))
    assert (found.service, found.certainty, found.attempts) == ("", Certainty.INCONCLUSIVE, ())
    assert found.questions == ("Which service is at fault?",)


def test_it_is_pinned_with_the_evidence() -> None:
    found = assess(case())
    bundle = EvidenceBundle(END, START, END, ("checkout",), (SYMPTOM,), (), (), "", assessment=found)
    assert bundle_from_json(to_json(bundle)).assessment == found
    assert from_json(to_json(bundle)["assessment"]) == found
