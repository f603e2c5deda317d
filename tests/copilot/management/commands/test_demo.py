from datetime import timedelta

import pytest

from copilot.management.commands.demo import Story
from tests import cast

BEGAN = cast.OPENED - timedelta(minutes=5)


@pytest.mark.django_db
def test_the_live_demo_tells_each_thing_once_as_it_happens() -> None:
    lines: list[str] = []
    story = Story("cpu-hog", quiet=timedelta(minutes=4), site="http://127.0.0.1:8000", say=lines.append)
    cast.incident(source="replay_of_before", opened_at=cast.OPENED)
    story.go_on(seconds_broken=None, now=BEGAN)
    story.go_on(seconds_broken=None, now=BEGAN + timedelta(seconds=1))
    assert len(lines) == 1
    assert "All is well until 02:46:10 UTC" in lines[0]
    assert "4 minutes" in lines[0]
    story.go_on(seconds_broken=0.2, now=BEGAN + timedelta(minutes=4))
    story.go_on(seconds_broken=1.2, now=BEGAN + timedelta(minutes=4, seconds=1))
    assert len(lines) == 2
    assert "Now cpu-hog is on" in lines[1]
    incident = cast.incident(source="live", opened_at=cast.OPENED)
    story.go_on(seconds_broken=60.0, now=cast.OPENED)
    cast.investigated(incident)
    for _ in range(2):
        story.go_on(seconds_broken=62.0, now=cast.OPENED + timedelta(seconds=2))
    assert len(lines) == 4
    assert f"{incident.reference} opened by itself, 60 s after the fault began: {cast.TITLE}" in lines[2]
    assert f"http://127.0.0.1:8000/incidents/{incident.pk}/" in lines[2]
    assert f"{incident.reference} has its brief, 62 s after the fault began." in lines[3]
