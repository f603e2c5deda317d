from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidents.detection import affinity
from incidents.detection.affinity import PRIOR, Surroundings, Trouble

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
WITHIN = Surroundings(
    documents=100,
    word_counts={"payments": 40, "latency": 30, "stripe": 1},
    label_counts={("region", "eu"): 90, ("cluster", "eu-7"): 2},
    neighbours=affinity.neighbours_of([("checkout", "payments"), ("storefront", "checkout")]),
    changes={"payments": [AT - timedelta(minutes=5)]},
)


def trouble(service: str = "payments", *, after: float = 0, **fields: object) -> Trouble:
    at = AT + timedelta(seconds=after)
    return replace(Trouble(frozenset({service}), at, at), **fields)  # type: ignore[arg-type]


def scored(alert: Trouble, incident: Trouble, within: Surroundings = WITHIN) -> float:
    return affinity.score(affinity.features(alert, incident, within=within))


def test_the_same_service_within_minutes_joins_and_after_a_long_time_does_not() -> None:
    assert scored(trouble(after=40), trouble()) > 0.6
    assert scored(trouble(after=1800), trouble()) < 0.5


def test_nearer_in_the_topology_is_nearer() -> None:
    payments, checkout, storefront, other = (
        scored(trouble(name, after=10), trouble()) for name in ("payments", "checkout", "storefront", "warehouse")
    )
    assert payments > checkout > storefront > other
    assert checkout > 0.5 > storefront


def test_a_rare_label_in_common_tells_more_than_a_common_one() -> None:
    both = frozenset({("region", "eu"), ("cluster", "eu-7")})
    rare, common = (trouble("x", labels=frozenset({label})) for label in (("cluster", "eu-7"), ("region", "eu")))
    incident = trouble("y", labels=both)
    alert = replace(trouble("x"), labels=both)
    shared = lambda of: affinity.features(alert, of, within=WITHIN)["shared labels"]  # noqa: E731
    assert shared(rare) > 0.8 > 0.2 > shared(common)
    assert shared(incident) == pytest.approx(1.0)


def test_words_are_compared_without_numbers_and_rare_ones_weigh_more() -> None:
    assert affinity.words_of("HighLatency", "p99 of payments is 2.31 s") == {
        "high": 1,
        "latency": 1,
        "payments": 1,
    }
    rare = affinity.features(
        trouble("x", words={"stripe": 1, "payments": 1}), trouble("y", words={"stripe": 1}), within=WITHIN
    )
    common = affinity.features(
        trouble("x", words={"stripe": 1, "payments": 1}), trouble("y", words={"payments": 1}), within=WITHIN
    )
    assert rare["wording"] > common["wording"] > 0
    assert rare["wording"] <= 1


def test_a_change_before_both_and_the_environment_count() -> None:
    found = affinity.features(trouble(), trouble(), within=WITHIN)
    assert (found["after the same change"], found["other environment"]) == (1.0, 0.0)
    apart = affinity.features(
        trouble(environments=frozenset({"prod"})), trouble(environments=frozenset({"staging"})), within=WITHIN
    )
    assert apart["other environment"] == 1.0


def test_without_lessons_the_prior_holds_and_with_many_it_bends_within_bounds() -> None:
    assert affinity.learn([]) == dict(PRIOR)
    apart = ({"same service": 1.0, "ten minutes apart": 0.2}, False)
    one, many = affinity.learn([apart]), affinity.learn([apart] * 200)
    assert PRIOR["same service"] > one["same service"] > many["same service"]
    assert many["same service"] >= PRIOR["same service"] - affinity.FARTHEST
    assert affinity.score(apart[0], weights=PRIOR) > 0.5 > affinity.score(apart[0], weights=many)
    assert one["burst"] == PRIOR["burst"]


def test_the_strongest_reason_is_named_first() -> None:
    found = {"same service": 1.0, "wording": 0.3, "ten minutes apart": 0.5}
    assert affinity.reasons(found) == ["same service", "wording"]
