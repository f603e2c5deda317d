"""What is shown of a runbook that fits: the steps, not only the symptom that was searched for."""

import pytest

from runbooks.remedies import remedy_of, with_remedies
from runbooks.search import search
from tests.runbooks import library

pytestmark = pytest.mark.django_db


def test_the_steps_come_first_and_what_was_found_after_them() -> None:
    library.small_library()
    found = search("no database connection: 5 of 5 in use", limit=1, kinds=["runbook"])
    assert found.passages[0].heading.endswith("Confirm")
    steps, matched = with_remedies(found).passages
    assert steps.heading == "Connection pool exhausted › Steps"
    assert steps.text.startswith("1. Roll back if a deploy came")
    assert matched == found.passages[0]


def test_numbered_steps_count_where_no_heading_says_so_and_without_any_the_passage_stays() -> None:
    library.write("Queue stuck", "Jobs pile up.\n\n## On the box\n\n1. Drain the queue.\n2. Restart the consumer.\n")
    library.write("Disk full", "Logs fill the disk.\n\n## Do not\n\n1. Delete data.\n")
    (queue,) = search("jobs pile up", limit=1).passages
    remedy = remedy_of(queue)
    assert remedy is not None
    assert remedy.heading == "Queue stuck › On the box"
    disk = search("logs fill the disk", limit=1)
    assert remedy_of(disk.passages[0]) is None
    assert with_remedies(disk) == disk


def test_a_long_section_is_whole_up_to_two_thousand_characters() -> None:
    steps = "\n".join(
        f"{number}. Look at the gauge number {number} and write down what it shows, then go on."
        for number in range(1, 60)
    )
    library.write("Gauges", f"All gauges are red.\n\n## Mitigation\n\n{steps}\n")
    (found,) = search("gauges are red", limit=1).passages
    remedy = remedy_of(found)
    assert remedy is not None
    assert "12. Look" in remedy.text
    assert len(remedy.text) <= 2_000


def test_a_revision_that_is_approved_no_longer_has_no_steps() -> None:
    revision = library.small_library()["pool"]
    (found,) = search("no database connection", limit=1, kinds=["runbook"]).passages
    revision.state = "superseded"
    revision.save(update_fields=["state"])
    assert remedy_of(found) is None
