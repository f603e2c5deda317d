from dataclasses import replace
from datetime import timedelta

import pytest

from copilot.answers import brief as briefs
from copilot.views.verdict import verdict_of
from tests import cast


@pytest.mark.django_db
def test_a_replay_says_when_it_was_recorded_if_its_times_were_moved() -> None:
    incident = cast.incident()
    for shift, said in (
        (timedelta(0), ""),
        (timedelta(days=8, hours=1), "Recorded on 14 November 2026 at 01:44 UTC; times moved to when it was replayed"),
    ):
        bundle = replace(cast.bundle(), shifted_by_seconds=shift.total_seconds())
        brief = briefs.write(bundle, title=cast.TITLE)
        assert verdict_of(incident, bundle=bundle, brief=brief, now=cast.END).recorded == said
    assert verdict_of(incident, bundle=None, brief=None, now=cast.END).recorded == ""
