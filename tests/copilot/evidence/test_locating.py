"""What is pinned of a ranking."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from copilot.evidence import hiding
from copilot.evidence.hypotheses import hypotheses_of
from copilot.evidence.judgement import assess
from copilot.evidence.located import Located
from copilot.evidence.locating import located
from copilot.evidence.refutation import Case
from copilot.privacy.pseudonyms import Pseudonyms
from incidents.detection.anomaly import Direction, Episode
from incidents.localization.ranking import rank
from incidents.localization.suspects import Ranking, RuledOut
from incidents.telemetry.datamodel import SeriesKey
from tests import cast, suspects
from tests.incidents.localization.shop import CALM, FAULT_AT, OUTAGE, Shop


@pytest.fixture(scope="module")
def ranking() -> Ranking:
    return rank(Shop("leaked pool").serve(), incident=OUTAGE, reference=CALM)


def pinned_of(ranking: Ranking) -> Located:
    assessment = assess(Case(ranking, (), (), start=FAULT_AT, end=FAULT_AT + timedelta(minutes=5)))
    hypotheses = hypotheses_of(ranking, (), assessment)
    return located(ranking, hypotheses=hypotheses, items=(), episodes=(), began_at=FAULT_AT)


def test_a_ranking_is_pinned_with_place_onset_and_spread(ranking: Ranking) -> None:
    pinned = pinned_of(ranking)
    first = pinned.suspects[0]
    assert (first.service, first.place_kind, first.place) == ("orders", "resource", "db.client.connections.usage")
    assert pinned.is_named
    assert pinned.lead == pytest.approx(first.confidence - ranking.suspects[1].confidence, abs=0.002)
    assert first.since is not None
    assert abs(first.since - FAULT_AT) < timedelta(seconds=30)
    assert pinned.spread[0].service == "orders"
    assert [one.at for one in pinned.spread] == sorted(one.at for one in pinned.spread)
    assert pinned.requests > 100
    began = {one.service: one.at for one in pinned.spread}
    assert all(one.since == began.get(one.service) for one in pinned.suspects), "one time each, in list and spread"


def test_what_is_ruled_out_is_no_suspect(ranking: Ranking) -> None:
    first, second, *_ = ranking.suspects
    caller = replace(second, service="storefront", confidence=0.1)
    told = replace(ranking, suspects=(first, caller), ruled_out=(RuledOut("storefront", "because", first.findings[0]),))
    pinned = pinned_of(told)
    assert [one.service for one in pinned.suspects] == ["orders"]
    assert [one.service for one in pinned.cleared] == ["storefront"]
    assert "explained by orders" in pinned.cleared[0].reason


def test_personal_data_become_tokens_in_it_too() -> None:
    pinned = suspects.located(since=cast.START)
    told = replace(
        pinned,
        suspects=(
            replace(pinned.suspects[0], why="mail to mira@shop.example failed", operation="GET /u/mira@shop.example"),
        ),
        cleared=(replace(pinned.cleared[0], reason="only mira@shop.example was asked for"),),
        spread=(replace(pinned.spread[0], what="user mira@shop.example vanished"),),
    )
    hidden = hiding.hide(replace(cast.bundle(), located=told), Pseudonyms())
    assert "mira@" not in str(hidden.located)


def test_the_spread_leaves_out_what_was_over_before(ranking: Ranking) -> None:
    def episode(service: str, minutes: int, ended_at: datetime | None) -> Episode:
        at, key = FAULT_AT + timedelta(minutes=minutes), SeriesKey(service, "duration_p95", "{}", "s")
        return Episode(key, Direction.UP, at, at, at, ended_at, 0.04, 0.06, 2.6, 9.0)

    over, lasts = episode("catalog", -3, FAULT_AT - timedelta(minutes=1)), episode("storefront", 1, None)
    pinned = located(ranking, hypotheses=(), items=(), episodes=(over, lasts), began_at=FAULT_AT)
    said = {one.service: one.what for one in pinned.spread}
    assert "catalog" not in said
    assert said["storefront"] == "p95 response time rose to 2.6 s, usual 40 ms to 60 ms"
