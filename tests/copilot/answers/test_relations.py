"""False sentences of true parts, and the true ones beside them."""

from dataclasses import replace

import pytest

from copilot.answers.claims import Verdict
from copilot.answers.verification import check
from tests.copilot.answers.corpus import reading


@pytest.mark.parametrize(
    ("bundle", "cites", "true", "false"),
    [
        (
            "bad-deploy", "E1 E2",
            "The error rate peaked at 40.6 % in catalog and 37.1 % in storefront.",
            "The error rate peaked at 37.1 % in catalog and 40.6 % in storefront.",
        ),
        (
            "cache-stampede", "E6",
            "SELECT products in catalog slowed from 768 µs to 5.38 ms.",
            "SELECT products in catalog slowed from 5.38 ms to 768 µs.",
        ),
        (
            "bad-deploy", "E5",
            "The p90 self time of GET /products/{id} more than tripled, from 374 µs to 1.26 ms.",
            "The p90 self time of GET /products/{id} more than quadrupled, from 374 µs to 1.26 ms.",
        ),
        (
            "bad-deploy", "E3",
            "p99 latency of catalog climbed to roughly 75 ms.",
            "Median latency of catalog climbed to roughly 75 ms.",
        ),
        (
            "bad-deploy", "E4 E6",
            "In total, catalog logged the conversion error 259 times across both endpoints.",
            "In total, catalog logged the conversion error 300 times across both endpoints.",
        ),
        (
            "leaked-connection-pool", "E2 E3",
            "orders left its usual range before storefront did.",
            "storefront left its usual range before orders did.",
        ),
        (
            "leaked-connection-pool", "E8",
            "storefront was ruled out.",
            "cart was ruled out.",
        ),
        (
            "bad-deploy", "E4",
            "About one in five GET /products/{id} requests logged the ValueError.",
            "Most GET /products/{id} requests logged the ValueError.",
        ),
    ],
)  # fmt: skip
def test_whose_what_first_and_how_many(bundle: str, cites: str, true: str, false: str) -> None:
    ids = cites.split()
    assert check(true, ids, reading.bundle(bundle)).verdict is not Verdict.STRUCK
    assert check(false, ids, reading.bundle(bundle)).verdict is not Verdict.SUPPORTED


def test_a_long_hostile_sentence_is_checked_in_time() -> None:
    text = "from 1 s to 2 s " * 200 + "catalog more than storefront before catalog " * 100
    assert check(text, ["E1", "E2"], reading.bundle("bad-deploy")).verdict is not Verdict.SUPPORTED


def test_a_quotation_stands_there_though_its_brackets_were_replaced_and_a_token_is_its_own() -> None:
    told = replace(
        reading.bundle("bad-deploy").items[0], statement="catalog logged “GET <path> failed for ‹email-1›” 96 times."
    )
    bundle = replace(reading.bundle("bad-deploy"), items=(told,))
    for quote, verdict in (("GET ‹path› failed", Verdict.SUPPORTED), ("failed for ‹email-2›", Verdict.UNVERIFIED)):
        assert check(f"catalog logged “{quote}”.", [told.id], bundle).verdict is verdict
