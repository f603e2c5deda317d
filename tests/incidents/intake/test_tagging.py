from datetime import UTC, datetime, timedelta

import pytest

from incidents.intake import tagging
from incidents.models import Service
from incidents.telemetry.datamodel import ServiceTags

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forgotten():
    tagging.forget()
    yield
    tagging.forget()


def remember(*tags, now=NOON):
    tagging.remember({tag.service: tag for tag in tags}, now=now)


def test_a_service_is_listed_with_its_tags():
    remember(ServiceTags("cart", "production", "shop", "1.4"))
    service = Service.objects.get()
    assert (service.name, service.environment, service.team, service.version) == ("cart", "production", "shop", "1.4")
    assert service.first_seen_at == service.last_seen_at == NOON


def test_what_a_resource_leaves_out_stays():
    remember(ServiceTags("cart", "production", "shop", "1.4"))
    remember(ServiceTags("cart", "", "", "1.5"), now=NOON + timedelta(seconds=1))
    service = Service.objects.get()
    assert (service.environment, service.version, service.first_seen_at) == ("production", "1.5", NOON)


def test_nothing_is_written_while_nothing_changes(django_assert_num_queries):
    remember(ServiceTags("cart", "", "", ""))
    with django_assert_num_queries(0):
        remember(ServiceTags("cart", "", "", ""), now=NOON + timedelta(seconds=59))
    remember(ServiceTags("cart", "", "", ""), now=NOON + timedelta(seconds=60))
    assert Service.objects.get().last_seen_at == NOON + timedelta(seconds=60)


def test_late_telemetry_does_not_turn_back_the_clock():
    remember(ServiceTags("cart", "", "", ""))
    remember(ServiceTags("cart", "", "", "1"), now=NOON - timedelta(hours=1))
    assert Service.objects.get().last_seen_at == NOON


def test_ids_in_service_names_do_not_fill_the_table(monkeypatch, caplog):
    monkeypatch.setattr(tagging, "MOST_SERVICES", 3)
    remember(ServiceTags("cart", "", "", ""), ServiceTags("payments", "", "", ""))
    remember(*(ServiceTags(f"job-{i}", "", "", "") for i in range(9)), ServiceTags("cart", "", "", "2"))
    assert sorted(Service.objects.values_list("name", "version")) == [("cart", "2"), ("payments", "")]
    assert "job-0" in caplog.text
