from datetime import UTC, datetime, timedelta

import pytest

from copilot import presence
from tests import cast

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def test_each_person_is_there_once_until_the_last_window_closes() -> None:
    incident, ada = cast.incident(), cast.person("ada")
    for socket in ("one", "two"):
        presence.enter(incident_id=incident.pk, user_id=ada.pk, socket=socket, now=NOW)
    assert presence.present(incident_id=incident.pk, now=NOW) == ["ada"]
    presence.leave(socket="one")
    assert presence.present(incident_id=incident.pk, now=NOW) == ["ada"]
    presence.leave(socket="two")
    assert presence.present(incident_id=incident.pk, now=NOW) == []


def test_who_said_no_goodbye_is_gone_after_a_while() -> None:
    incident = cast.incident()
    presence.enter(incident_id=incident.pk, user_id=cast.person("ada").pk, socket="one", now=NOW)
    later = NOW + presence.GONE_AFTER + timedelta(seconds=1)
    assert presence.present(incident_id=incident.pk, now=later) == []
    presence.enter(incident_id=incident.pk, user_id=cast.person("bo").pk, socket="two", now=later)
    assert incident.presences.count() == 1
