"""The list of incidents."""

import pytest
from django.test import Client
from django.utils import timezone

from incidents.models import Incident, Investigation
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(cast.mira())
    return client


def test_before_the_first_incident_it_says_how_to_send_telemetry(reader: Client) -> None:
    said = reader.get("/incidents/", HTTP_HOST="127.0.0.1:8123").content.decode()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:8123" in said
    assert "manage.py replay" in said


def test_each_incident_is_under_what_it_needs(reader: Client) -> None:
    now = timezone.now()
    needs = cast.incident(title="Cart loses items")
    watched = cast.incident(title="Search is slow", status=Incident.Status.MITIGATED, mitigated_at=now)
    over = cast.incident(title="Images are missing", status=Incident.Status.RESOLVED, resolved_at=now)
    answer = reader.get("/incidents/")
    assert [row.pk for row in answer.context["needs_you"]] == [needs.pk]
    assert [row.pk for row in answer.context["watching"]] == [watched.pk]
    assert [row.pk for row in answer.context["resolved"]] == [over.pk]
    assert '<span class="count" aria-label="1 not acknowledged">1</span>' in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("status=active", {"a", "b"}),
        ("status=resolved", {"c"}),
        ("severity=2", {"b"}),
        ("status=resolved&severity=1", set()),
        ("status=nonsense&severity=99&page=x", {"a", "b", "c"}),
    ],
)
def test_filters(reader: Client, query: str, titles: set[str]) -> None:
    cast.incident(title="a", severity=1)
    cast.incident(title="b", severity=2)
    cast.incident(title="c", severity=3, status=Incident.Status.RESOLVED, resolved_at=timezone.now())
    context = reader.get(f"/incidents/?{query}").context
    assert {row.title for name in ("needs_you", "watching", "resolved") for row in context[name]} == titles


def test_a_row_says_why_or_why_not(reader: Client) -> None:
    ready, waiting, failed = (cast.incident(title=name) for name in "abc")
    cast.investigated(ready)
    Investigation.objects.create(incident=waiting, requested_at=cast.OPENED)
    Investigation.objects.create(incident=failed, requested_at=cast.OPENED, state=Investigation.State.FAILED)
    said = {row.title: row for row in reader.get("/incidents/").context["needs_you"]}
    assert said["a"].because.startswith("Probably payments (0.71)")
    assert said["a"].spark is not None
    assert said["b"].because == "Evidence is being gathered."
    assert said["c"].because == "No explanation: the investigation failed."
    assert said["a"].duration == "26 min 0 s"


def test_a_long_list_costs_few_queries(reader: Client, django_assert_max_num_queries: object) -> None:
    for number in range(12):
        cast.investigated(cast.incident(title=f"incident {number}"))
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        reader.get("/incidents/")
