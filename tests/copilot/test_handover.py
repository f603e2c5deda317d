from datetime import timedelta

import pytest

from copilot import handover
from copilot.answers import brief as briefs
from copilot.handover import Subject
from incidents import lifecycle, teamwork
from incidents.models import Incident
from tests import cast

pytestmark = pytest.mark.django_db
NOW = cast.OPENED + timedelta(minutes=20)


def subject(**changes: object) -> Subject:
    incident = cast.incident(source="live", **changes)
    cast.investigated(incident)
    found = cast.bundle()
    return Subject(incident, found, briefs.write(found, title=cast.TITLE))


def test_a_joiner_reads_state_people_cause_what_was_tried_and_what_is_open() -> None:
    mira, jonas = cast.mira(), cast.person("jonas", "responder")
    about = subject()
    lifecycle.acknowledge(about.incident, by="mira", now=NOW)
    teamwork.take_role(about.incident, role="commander", user=mira, by="mira", now=NOW)
    teamwork.take_role(about.incident, role="responder", user=jonas, by="jonas", now=NOW)
    lifecycle.add_note(about.incident, text="restarted one pod, no change", by="jonas", now=NOW)
    teamwork.add_task(about.incident, text="Roll payments back", by="mira", now=NOW, assignee=jonas)
    text = handover.read_in(about, now=NOW)
    for part in (
        "Severity 1, acknowledged since 03:07:10 UTC. Going on for 22 min 50 s, since 02:44:20 UTC, 22 November 2026.",
        "Affected: checkout, payments and storefront.",
        "Who: commander mira since 03:07:10 UTC; responders jonas.",
        "Likely cause",
        "[E1 E4 E5 E6]",
        "- 03:07:10 jonas: restarted one pod, no change",
        "- Roll payments back (jonas)",
        "Next check: Compare the connection pool's settings",
    ):
        assert part in text, text


def test_a_brief_needs_no_investigation() -> None:
    text = handover.read_in(Subject(cast.incident(), None, None), now=NOW)
    assert "the investigation has not finished" in text
    assert "no commander" in text
    assert "Tried so far: nothing is written down." in text


def test_the_next_shift_reads_what_changed_since_command_was_handed_over() -> None:
    mira, jonas = cast.mira(), cast.person("jonas", "responder")
    about = subject()
    teamwork.take_role(about.incident, role="commander", user=mira, by="mira", now=NOW)
    lifecycle.add_note(about.incident, text="before", by="mira", now=NOW + timedelta(minutes=1))
    teamwork.take_role(about.incident, role="commander", user=jonas, by="mira", now=NOW + timedelta(minutes=5))
    lifecycle.add_note(about.incident, text="after", by="jonas", now=NOW + timedelta(minutes=6))
    text = handover.handover(about, now=NOW + timedelta(minutes=9))
    assert "Since 03:12:10 UTC (the last handover): 1 entries" in text
    assert "- 03:13:10 jonas: after" in text
    assert "before" not in text


def test_the_draft_is_plain_and_every_number_of_it_is_known() -> None:
    about = subject(title="payments-7d9f8b6c5-x2x4z.eu-1.svc: 31.4 % of requests fail at 10.0.3.7:8443")
    text = handover.stakeholder_draft(about, now=NOW)
    assert "x2x4z" not in text
    assert "10.0.3.7" not in text
    assert "It began at 02:44 UTC on 22 November 2026." in text
    assert "The cause is probably in payments" in text
    assert "We will say more by 03:37 UTC." in text
    assert handover.doubts(text, about, now=NOW) == ()


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("45 % of orders fail.", "“45 %”"),
        ("It began at 01:10 UTC.", "“01:10”"),
        ("db-1.internal is broken.", "names a machine"),
        ("See 192.168.0.4.", "names a machine"),
    ],
)
def test_what_nobody_measured_is_named(text: str, doubt: str) -> None:
    found = handover.doubts(text, subject(), now=NOW)
    assert len(found) == 1
    assert doubt in found[0]


def test_what_was_measured_and_what_is_over_is_said_without_doubt() -> None:
    about = subject()
    lifecycle.mitigate(about.incident, by="mira", now=NOW)
    lifecycle.set_cause(about.incident, cause="deploy", text="2.14.0 leaks connections", by="mira", now=NOW)
    lifecycle.resolve(about.incident, by="mira", now=NOW)
    text = handover.stakeholder_draft(Subject(Incident.objects.get(), about.bundle, about.brief), now=NOW)
    assert "We know the cause, deploy: 2.14.0 leaks connections." in text
    assert "We will say more" not in text
    assert handover.doubts(f"{text} Up to 31.4 % of checkouts failed.", about, now=NOW) == ()
