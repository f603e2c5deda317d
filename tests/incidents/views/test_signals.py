from datetime import timedelta

import numpy as np
import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from numpy.typing import NDArray

from incidents import baselines
from incidents.baselines import Watched
from incidents.models import Anomaly, Departure, Incident, Signal, SignalVerdict
from incidents.telemetry.datamodel import SeriesKey
from incidents.telemetry.store import HotStore
from incidents.views.signal_forecast import ShownForecast, forecast_of
from incidents.views.signal_reading import next_stage, stages_of
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
        transience="sustained",
        clears_share=0.23,
        clears_low=0.05,
        clears_high=0.62,
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
    assert '<li aria-current="step"><b>Usable</b>' in text
    assert "Better in 22 hours." in text or "Better in 23 hours." in text
    assert "Up to 0.9; in the hour before it was between 0.1 and 0.2: 22 usual spreads away." in text
    assert "Sustained since" in text
    assert "Over by itself within 10 minutes: 23% (5% to 62%), by how departures last in general." in text
    assert "it does not drift to its whole, 1." in text
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
    departed(signal)
    page = client.get(reverse("signal-page", args=[signal.pk]), {"limit": "1e400"}).content.decode()
    assert "Not interesting: its departures open nothing." in page
    assert "Departures up to 27 usual spreads are expected and open nothing." in page
    assert "Its like opens nothing now" in page
    assert "Of the departures above, 1 would open nothing now." in page


def test_departures_that_opened_nothing_are_shown_with_the_reason(client: Client, signal: Signal) -> None:
    now = timezone.now()
    for age, fields in (
        (300, {"transience": "blip", "silent_reason": "a blip so far", "ended_at": now - timedelta(minutes=298)}),
        (200, {"transience": "sustained", "silent_reason": "expected by people"}),
        (2, {"transience": "blip", "silent_reason": "a blip so far"}),
    ):
        began_at = now - timedelta(minutes=age)
        Departure.objects.create(
            signal=signal,
            direction="up",
            began_at=began_at,
            detected_at=began_at + timedelta(minutes=1),
            seen_at=began_at + timedelta(minutes=2),
            usual_low=0.1,
            usual_high=0.2,
            peak=0.4,
            score=9.0,
            **{"clears_share": 0.9, "clears_low": 0.6, "clears_high": 0.97, "clears_known": 9} | fields,
        )
    client.force_login(cast.person("vera", "viewer"))
    text = client.get(reverse("signal-page", args=[signal.pk])).content.decode()
    assert text.count("Opened nothing: a blip so far.") == 2
    assert "Opened nothing: expected by people." in text
    assert "Blip since" in text
    assert "Over by itself within 10 minutes: 90% (60% to 97%), by 9 earlier ones like it." in text


@pytest.mark.parametrize(("samples", "days", "said"), [(10, 0.0, "Usable in 20"), (2_000, 3.0, "Full in 11 days.")])
def test_a_signal_says_when_it_is_known_better(signal: Signal, samples: int, days: float, said: str) -> None:
    signal.samples, signal.first_learned_at = samples, signal.learned_until_at - timedelta(days=days)
    assert next_stage(signal).startswith(said)
    assert [stage.is_now for stage in stages_of(signal)].count(True) == 1


def test_an_evidence_s_series_leads_to_its_page_or_says_that_it_is_not_watched(client: Client, signal: Signal) -> None:
    client.force_login(cast.person("vera", "viewer"))
    found = client.get(reverse("signal-of"), KEY._asdict())
    assert found["Location"] == reverse("signal-page", args=[signal.pk])
    unknown = client.get(reverse("signal-of"), KEY._replace(name="<b>")._asdict(), follow=True)
    assert "is not among the series watched now" in unknown.content.decode()
    assert "<b> of" not in unknown.content.decode()


def watched(values: NDArray[np.float64], *, limit: float = np.nan) -> Watched:
    times = 1.7e9 + 60.0 * np.arange(len(values))
    nothing = np.full(len(values), np.nan)
    return Watched(times, values, nothing, nothing, np.zeros(len(values), dtype=np.bool_), limit)


def said_of(name: str, seen: Watched, *, unit: str = "1", limit: str = "", objective: str = "") -> ShownForecast:
    return forecast_of(Signal(service="payments", name=name, unit=unit), seen, limit=limit, objective=objective)


def test_connections_are_forecast_to_the_limit_that_another_series_tells() -> None:
    climbing = watched(20.0 + np.linspace(0.0, 40.0, 360), limit=100.0)
    said = said_of("db.client.connections.usage", climbing)
    assert "Reaches its limit of 100, as another series tells, in 6.0 h by its trend" in said.sentence
    assert said.lead.startswith("Lead time to count on: ")
    assert said.value == "100"
    assert "Reaches 80 in 3.0 h" in said_of("db.client.connections.usage", climbing, limit="80").sentence
    assert said_of("queue.size", watched(np.ones(360))).lead == ""


def test_an_error_budget_says_how_fast_it_is_used_and_how_long_it_lasts() -> None:
    burning = said_of("error_ratio", watched(np.full(360, 0.10)))
    assert "used 83.1%" in burning.sentence
    assert "100 times what lasts the whole period" in burning.sentence
    assert "it is used up in 1.2 h" in burning.sentence
    assert burning.lead == "Lead time to count on: 1.2 h."
    slow = said_of("error_ratio", watched(np.full(360, 0.003)), objective="99.9")
    assert "At this rate a full budget lasts 10.0 days." in slow.sentence
    assert said_of("error_ratio", watched(np.zeros(360)), objective="nonsense").lead == ""
