from datetime import UTC, datetime, timedelta

from copilot.answers import brief as briefs
from copilot.evidence.bundle import Evidence, EvidenceBundle, Hypothesis, Kind, Role, from_json, to_json

START = datetime(2026, 3, 14, 2, 44, 20, tzinfo=UTC)


def item(name: str, role: Role, service: str, statement: str, kind: Kind = Kind.METRIC, **detail: object) -> Evidence:
    return Evidence(name, kind, role, service, statement, statement, START, START + timedelta(minutes=5), detail=detail)


BUNDLE = EvidenceBundle(
    gathered_at=START,
    incident_start=START,
    incident_end=START + timedelta(minutes=5),
    services=("checkout", "payments"),
    items=(
        item("E1", Role.SYMPTOM, "checkout", "checkout share of failed requests rose to 31.4 % at 02:46:40."),
        item("E2", Role.CAUSE, "payments", "payments db pool rose from 4 to 20."),
        item("E3", Role.AGAINST, "catalog", "catalog p95 stayed at 22 ms."),
        item("E4", Role.CONTEXT, "payments", "payments changed from 2.13.4 to 2.14.0 at 02:41:08.", kind=Kind.CHANGE),
        item(
            "E5",
            Role.REMEDY,
            "",
            "The runbook fits.",
            kind=Kind.PASSAGE,
            text="## Fix\n1. Look at the pool.\n2. Roll back\n   the release.\n",
        ),
    ),
    hypotheses=(
        Hypothesis("payments", "its connection pool is full", 0.81, "likely", ("E2",)),
        Hypothesis("catalog", "its response time did not change", 0.0, "ruled out", (), ("E3",)),
    ),
    gaps=("There were no logs for this time, so nothing rests on them.",),
    next_check="Look at the connections by caller.",
    edges=(("storefront", "checkout"), ("checkout", "payments")),
)


def test_every_section_is_written_from_the_bundle() -> None:
    brief = briefs.write(BUNDLE, title="checkout: 31 % of requests fail")
    assert brief.headline == "checkout: 31 % of requests fail"
    assert brief.what[0].cites == ("E1",)
    assert "02:44:20 UTC on 14 March 2026" in brief.since[0].text
    assert "checkout and payments" in brief.affected[0].text
    assert "storefront" in brief.affected[0].text
    assert brief.cause[0].text == "Probably payments (a chance of 81 %): its connection pool is full."
    assert any("2.13.4 to 2.14.0" in claim.text for claim in brief.cause)
    assert brief.ruled_out[0] == briefs.CheckedClaim(
        "Not catalog: its response time did not change.", ("E3",), briefs.Verdict.SUPPORTED
    )
    assert [claim.text for claim in brief.steps] == ["Look at the pool.", "Roll back the release."]
    assert brief.unseen
    assert brief.next_check


def test_evidence_that_does_not_separate_two_says_so() -> None:
    close = (
        Hypothesis("payments", "a", 0.41, "possible", ("E2",)),
        Hypothesis("checkout", "b", 0.39, "possible", ("E1",)),
    )
    brief = briefs.write(EvidenceBundle(**{**_fields(), "hypotheses": close}), title="t")
    assert brief.undecided
    assert brief.cause[0].text.startswith("The evidence does not separate payments (41 %) from checkout (39 %)")


def test_without_suspects_no_cause_is_made_up() -> None:
    brief = briefs.write(EvidenceBundle(**{**_fields(), "hypotheses": ()}), title="t")
    assert brief.cause[0].text == "No service stands out: the evidence names no cause."
    assert brief.confidence == 0.0


def test_bundle_and_brief_survive_json() -> None:
    assert from_json(to_json(BUNDLE)) == from_json(to_json(from_json(to_json(BUNDLE))))
    brief = briefs.write(BUNDLE, title="t")
    assert briefs.from_json(briefs.to_json(brief)) == brief


def _fields() -> dict[str, object]:
    return {name: getattr(BUNDLE, name) for name in EvidenceBundle.__slots__}
