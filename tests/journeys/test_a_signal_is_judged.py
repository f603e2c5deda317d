"""Mira asks whether a symptom is news: from the incident to its signal, why it is not usual, whether it clears, and her word on it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from copilot.evidence import metrics
from incidents import baselines, departures, lifecycle
from incidents.detection import correlation
from incidents.detection.anomaly import Episode
from incidents.models import Incident
from incidents.telemetry.datamodel import Window
from incidents.telemetry.store import HotStore
from tests import cast
from tests.incidents.detection.streams import episode
from tests.incidents.test_baselines import Store, series
from tests.journeys.conftest import Site

pytestmark = pytest.mark.journey


def departed(now: datetime) -> Episode:
    began_at = now - timedelta(minutes=6)
    detected_at = began_at + timedelta(seconds=50)
    return episode(started_at=began_at, detected_at=detected_at, peaked_at=detected_at)


def symptom(now: datetime) -> Incident:
    """A live incident of one departure of a signal that has been learned for 90 minutes, investigated."""
    HotStore(settings.DATABASE_URL).prepare()
    known = series(90, until=now)
    baselines.learn(Store([known]), now=now)
    told = departures.worth_telling([departed(now)], now=now)
    [group] = correlation.group(told, edges=[])
    incident = lifecycle.open_or_join(group, source="live", now=now)
    window = Window(now - timedelta(minutes=30), now)
    found = metrics.from_episode(told[0], series={known.key: known}, window=window, backend="hot store")
    cast.investigated(incident, items=(replace(found, id="E1"),))
    return incident


def test_from_a_symptom_to_its_signal_and_a_word_on_it(site: Site, page: Page) -> None:
    now = timezone.now()
    incident = site.do(symptom, now)
    page.goto(f"{site.url}/incidents/{incident.pk}/")
    expect(page.locator("#verdict")).to_contain_text("Sustained")
    expect(page.locator("#verdict")).to_contain_text("Over by itself within 10 minutes:")

    page.get_by_role("link", name="Signal: usual range, forecast, feedback").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("checkout")
    expect(page.get_by_role("region", name="How well it is known").locator("[aria-current]")).to_contain_text("Usable")
    expect(page.get_by_role("region", name="Forecast")).to_contain_text("error budget")
    rows = page.get_by_role("region", name="Departures").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("usual spreads away")
    expect(rows.nth(1).get_by_role("link", name=incident.reference)).to_be_visible()

    rows.nth(1).get_by_role("button", name="Expected").click()
    expect(page.get_by_text("departures like this one open nothing")).to_be_visible()
    expect(page.locator("#said")).to_contain_text("Departures up to 25 usual spreads are expected and open nothing.")
    expect(rows.nth(1)).to_contain_text("Its like opens nothing now")
    assert site.do(departures.worth_telling, [departed(now)], now=now) == []

    page.get_by_role("button", name="Interesting after all").click()
    expect(rows.nth(1)).not_to_contain_text("Its like opens nothing now")
    assert site.do(departures.worth_telling, [departed(now)], now=now)
