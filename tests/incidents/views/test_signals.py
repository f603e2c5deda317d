from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import baselines
from incidents.models import Anomaly, Incident, Signal, SignalVerdict
from incidents.telemetry.datamodel import SeriesKey
from incidents.telemetry.store import HotStore
from tests import cast
from tests.incidents.test_baselines import Store, series

pytestmark = pytest.mark.django_db
KEY = SeriesKey("checkout", "disk.used.ratio", '{"disk":"<b>sda</b>"}', "1")


@pytest.fixture
def signal() -> Signal:
    HotStore(settings.DATABASE_URL).prepare()
    now = timezone.now()
    baselines.learn(Store([series(90, key=KEY, until=now)]), now=now)
    return Signal.objects.get()


def departed(signal: Signal, *, restricted: bool = False) -> Anomaly:
    began_at = timezone.now() - timedelta(minutes=20)
    incident = Incident.objects.create(
        title="made up",
        severity=2,
        started_at=began_at,
        opened_at=began_at,
        last_anomaly_at=began_at,
        is_restricted=restricted,
    )
    return Anomaly.objects.create(
        incident=incident,
        service=signal.service,
        name=signal.name,
        attributes=signal.attributes,
        direction="up",
        started_at=began_at,
        detected_at=began_at,
        peaked_at=began_at,
        usual_low=0.1,
        usual_high=0.2,
        peak=0.9,
        score=21.5,
    )


def test_the_list_finds_by_name_and_says_how_well_a_series_is_known(client: Client, signal: Signal) -> None:
    client.force_login(cast.person("vera", "viewer"))
    text = client.get(reverse("signal-list")).content.decode()
    assert "disk.used.ratio" in text
    assert "usable" in text
    assert "<b>sda" not in text
    assert "No series is called so" in client.get(reverse("signal-list"), {"q": "nothing"}).content.decode()


def test_the_page_says_what_is_usual_why_it_departed_and_whether_it_clears(client: Client, signal: Signal) -> None:
    departed(signal)
    client.force_login(cast.person("vera", "viewer"))
    text = client.get(reverse("signal-page", args=[signal.pk])).content.decode()
    assert "Usable: less than a day is known" in text
    assert "up to 0.9, in the hour before 0.1 to 0.2: 22 usual spreads away" in text
    assert "Over by itself within ten minutes: 23%" in text
    assert "it does not drift to 1." in text
    assert "<b>sda" not in text
    assert 'value="expected"' not in text  # a viewer is not asked


def test_a_departure_of_a_restricted_incident_stays_with_those_who_may_see_it(client: Client, signal: Signal) -> None:
    departed(signal, restricted=True)
    client.force_login(cast.person("vera", "viewer"))
    assert "usual spreads away" not in client.get(reverse("signal-page", args=[signal.pk])).content.decode()


def test_people_s_word_is_kept_and_nonsense_refused(client: Client, signal: Signal) -> None:
    client.force_login(cast.mira())
    address = reverse("signal-verdict", args=[signal.pk])
    client.post(address, {"verdict": "nonsense", "score": "1"})
    assert not SignalVerdict.objects.exists()
    client.post(address, {"verdict": "expected", "score": "21.5"})
    client.post(address, {"verdict": "expected", "score": "nan"})
    client.post(address, {"verdict": "not-interesting"})
    signal.refresh_from_db()
    assert (signal.expected_up_to, signal.is_interesting) == (21.5, False)
    page = client.get(reverse("signal-page", args=[signal.pk]), {"limit": "1e400"}).content.decode()
    assert "Not interesting: its departures open nothing." in page
