from dataclasses import replace

import pytest

from copilot.answers import verification
from copilot.answers.claims import Verdict
from tests.copilot.answers.cast import BUNDLE

S, U, X = Verdict.SUPPORTED, Verdict.UNVERIFIED, Verdict.STRUCK

CASES = [
    # numbers, within the rounding they are stated in
    (S, "checkout p95 response time rose to 3.1 s at 02:47:10.", "E1"),
    (S, "checkout p95 response time rose to 3 s.", "E1"),
    (S, "checkout p95 response time peaked at 3,104 ms.", "E1"),
    (S, "The share of failed checkout requests rose to 22 %.", "E2"),
    (S, "The share of failed checkout requests rose to 22.2%.", "E2"),
    (S, "payments logged the QueuePool limit line 412 times.", "E3"),
    (S, "payments db_pool_in_use rose from 3 to 10 connections.", "E4"),
    (S, "About 400 log lines say that the QueuePool limit was reached in payments.", "E3"),
    (S, "payments self time of POST /charge rose about 160 times, from 18 ms to 2.9 s.", "E5"),
    (S, "Traffic at frontend stayed as before, at 41.3 requests per second.", "E8"),
    (S, "INC-7 showed the same 3 signals and was resolved after 26 min.", "E12"),
    (X, "checkout p95 response time rose to 31 s.", "E1"),
    (X, "checkout p95 response time rose to 3.4 s at 02:47:10.", "E1"),
    (X, "The share of failed checkout requests rose to 42 %.", "E2"),
    (U, "payments logged the QueuePool limit line 421 times.", "E3"),
    (U, "payments db_pool_in_use rose from 3 to 20 connections.", "E4"),
    (U, "checkout requests failed more often: 22 % of requests.", "E1"),  # the number is E2's
    # times
    (S, "payments logged the first QueuePool line at 02:44.", "E3"),
    (S, "The checkout response time left its usual range at 02:43:50.", "E1"),
    (U, "payments logged the first QueuePool line at 02:54:03.", "E3"),
    # services
    (U, "orders logged that the QueuePool limit was reached.", "E3"),
    (U, "frontend response time rose to 3.1 s.", "E1"),
    # versions and quotations
    (S, "payments changed from version 1.8.0 to 1.9.0 at 02:31:00, before the incident.", "E9"),
    (U, "payments changed to version 1.9.1 before the incident.", "E9"),
    (S, "payments logged “QueuePool limit of size 10 overflow 0 reached”.", "E3"),
    (U, "payments logged “database is overloaded”.", "E3"),
    # a log template's gaps stand for anything; its fixed parts do not
    (S, "payments logged “QueuePool limit of size … overflow … reached, connection timed out, timeout …”.", "E3"),
    (S, "payments logged “QueuePool limit of size <*> overflow <*> reached”.", "E3"),
    (S, "payments logged “<*> limit of size 10 overflow <*>”.", "E3"),
    (S, "payments logged “QueuePool limit ... connection timed out”.", "E4 E3"),
    (U, "payments logged “QueuePool limit of size … overflow … exceeded, connection timed out”.", "E3"),
    (U, "payments logged “connection timed out … QueuePool limit of size …”.", "E3"),
    (U, "payments logged “QueuePool limit of size … rose from 3 connections”.", "E3 E4"),
    # direction
    (X, "checkout p95 response time dropped to 3.1 s.", "E1"),
    (X, "The database CPU rose to 14 %.", "E7"),
    (S, "The database CPU usage stayed at 14 %.", "E7"),
    # causes: only what the ranking says
    (S, "payments is the likely cause: it logged that the QueuePool limit was reached.", "E3"),
    (X, "The incident was caused by the database.", "E7"),
    (X, "database cpu usage is the root cause.", "E7"),
    (S, "The database is not the cause: its cpu_usage_pct stayed at 14 %.", "E7"),
    (X, "payments is not the cause of the incident.", "E4"),
    (S, "payments logged the QueuePool line 412 times, and never in the window before, which makes payments the likely cause.", "E3"),
    (S, "payments is the likely cause; the database is not, its cpu_usage_pct stayed at 14 %.", "E4 E7"),
    (X, "The cause of the incident is not payments.", "E4"),
    (U, "payments db_pool_in_use rose to 10 connections. payments uses all its database connections, a likely cause of the incident.", "E4"),
    (X, "payments rose to 10 connections. The database is the likely cause of the incident.", "E4"),
    (U, "orders caused the incident: its response time rose to 95 ms.", "E6"),
    (S, "orders is a possible cause: its p95 response time rose to 95 ms.", "E6"),
    (U, "The deploy of payments 1.9.0 caused the incident.", "E9"),
    (U, "frontend caused the incident with traffic of 41.3 per s.", "E8"),
    (U, "The network is the cause.", "E3"),
    (U, "The connection pool is the root cause of the errors.", "E3"),
    (U, "The errors were caused by a full connection pool. orders is not the cause.", "E3"),
    (S, "payments db_pool_in_use rose to 10 connections. This is the likely cause.", "E4"),
    (S, "The QueuePool limit was reached, so connections timed out, which led to errors.", "E3"),
    # what cites nothing, or is about something else
    (U, "checkout is slow.", ""),
    (U, "checkout is slow.", "E99"),
    (U, "Engineers should drink more water today.", "E1"),
    (U, "payments waits since a host overloaded its kernel scheduler badly.", "E4"),
]  # fmt: skip


@pytest.mark.parametrize(("verdict", "text", "cites"), CASES, ids=[case[1][:50] for case in CASES])
def test_verdicts(verdict: Verdict, text: str, cites: str) -> None:
    found = verification.check(text, cites.split(), BUNDLE)
    assert found.verdict is verdict, found.reason
    assert bool(found.reason) is (verdict is not Verdict.SUPPORTED)


def test_every_statement_of_the_evidence_supports_itself() -> None:
    for item in BUNDLE.items:
        found = verification.check(item.statement, [item.id], BUNDLE)
        assert found.verdict is Verdict.SUPPORTED, (item.statement, found.reason)


@pytest.mark.parametrize(
    "text", ["checkout p95 response time rose to 3.1 s [E1].", "E1: checkout p95 response time rose to 3.1 s."]
)
def test_citations_in_the_sentence_count_and_leave_it(text: str) -> None:
    found = verification.check(text, [], BUNDLE)
    assert (found.text, found.cites, found.verdict) == (
        "checkout p95 response time rose to 3.1 s.",
        ("E1",),
        Verdict.SUPPORTED,
    )


def test_the_chance_that_code_states_may_be_repeated_of_its_own_service_alone() -> None:
    """payments has a chance of 71 %, orders of 12 %; no item says so."""
    said = "payments waits for database connections, with a chance of {} of being the cause."
    assert verification.check(said.format("71 %"), ["E3", "E4"], BUNDLE).verdict is not X
    assert verification.check(said.format("12 %"), ["E3", "E4"], BUNDLE).verdict is X


@pytest.mark.parametrize("cites", ["E3", "E3 E4 E5"])
def test_a_copied_verdict_with_another_cause_before_it_is_not_supported(cites: str) -> None:
    """Whether the incident knows a service of that name or not."""
    copied = "The database is the cause. payments (a chance of 71 %): payments waits for database connections."
    assert verification.check(copied, cites.split(), BUNDLE).verdict is X
    stranger = replace(BUNDLE, items=BUNDLE.items[:6], hypotheses=BUNDLE.hypotheses[:2], edges=BUNDLE.edges[:3])
    found = verification.check("The database is the cause.", cites.split(), stranger)
    assert (found.verdict, found.reason) == (U, "No verdict names this as the cause; the likely one is payments.")
    assert verification.check(copied, cites.split(), stranger).verdict is U


@pytest.mark.parametrize(
    ("cites", "reason"),
    [
        ("E3", "E3 does not say “all is lost”."),
        ("E3 E4", "E3 and E4 do not say “all is lost”."),
        ("E4 E5 E6 E1", "E4, E5, E6 and E1 do not say “all is lost”."),
    ],
)
def test_the_reason_reads_well(cites: str, reason: str) -> None:
    assert verification.check("payments logged “all is lost”.", cites.split(), BUNDLE).reason == reason


def test_the_reason_says_where_the_number_is() -> None:
    found = verification.check("checkout requests failed more often: 22 % of requests.", ["E1"], BUNDLE)
    assert found.reason == "22 % is not in E1 (but in E2, which it does not cite)."


def test_an_id_that_does_not_exist_is_dropped_and_said() -> None:
    found = verification.check("checkout p95 response time rose to 3.1 s.", ["E1", "E77"], BUNDLE)
    assert (found.cites, found.verdict, found.reason) == (("E1",), Verdict.UNVERIFIED, "There is no evidence E77.")
