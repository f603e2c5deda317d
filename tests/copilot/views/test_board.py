"""The list of incidents."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from copilot.views import board
from incidents.models import Alert, AlertSource, Incident, IncidentRole, Investigation, Silence, Team
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
    assert said["a"].because.startswith("Probably payments (71 %)")
    assert said["a"].spark is not None
    assert said["b"].because == "Evidence is being gathered."
    assert said["c"].because == "No explanation: the investigation failed."
    assert said["a"].duration == "26 min 0 s"


def test_a_long_list_costs_few_queries(reader: Client, django_assert_max_num_queries: object) -> None:
    for number in range(12):
        cast.investigated(cast.incident(title=f"incident {number}"))
    reader.get("/incidents/")
    with django_assert_max_num_queries(22):  # type: ignore[operator]
        reader.get("/incidents/")


def shown(reader: Client, query: str) -> set[str]:
    context = reader.get(f"/incidents/?{query}").context
    active = {row.title for section in context["sections"] for row in section.rows}
    return active | {row.title for row in context["resolved"]}


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("q=pool", {"a"}),
        ("q=POOL+payments", {"a"}),
        ("q=pool+nothing", set()),
        ("q=c", {"a", "b", "c"}),
        ("service=search", {"c"}),
        ("team=Shop", {"a"}),
        ("tag=eu", {"b"}),
        ("cause=deploy", {"a"}),
        ("cause=unknown", {"b", "c"}),
        ("cause=nonsense", {"a", "b", "c"}),
        ("assignee=ada", {"b"}),
        ("assignee=nobody", {"a", "c"}),
        ("source=replay", {"a", "b"}),
        ("source=demo", {"c"}),
        ("source=live", set()),
        ("status=closed", {"c"}),
        ("status=acknowledged", {"b"}),
        ("from=2026-11-22&to=2026-11-22", {"a", "b"}),
        ("to=2026-11-21", {"c"}),
        ("from=yesterday", {"a", "b", "c"}),
        ("q=%00&service=%27%3B--", set()),
    ],
)
def test_every_field_can_be_filtered(reader: Client, query: str, titles: set[str]) -> None:
    team = Team.objects.create(name="Shop")
    cast.incident(title="a", team=team, cause="deploy", cause_text="Pool too small")
    held = cast.incident(title="b", status=Incident.Status.ACKNOWLEDGED, tags=["eu"], services=["cart"])
    early = cast.OPENED - timedelta(days=2)
    cast.incident(
        title="c",
        status=Incident.Status.CLOSED,
        services=["search"],
        source="live",
        is_demo=True,
        started_at=early,
        opened_at=early,
        resolved_at=cast.OPENED,
    )
    IncidentRole.objects.create(incident=held, user=cast.person("ada"), role="commander", since_at=cast.OPENED)
    assert shown(reader, query) == titles


def test_an_incident_is_found_by_its_number(reader: Client) -> None:
    wanted = cast.incident(title="this one")
    cast.incident(title="another")
    assert shown(reader, f"q=INC-{wanted.pk}") == {"this one"}


def test_what_is_resolved_is_read_page_by_page_without_gaps(reader: Client) -> None:
    for number in range(60):
        # Two of each minute, so that the order needs the number as well.
        at = cast.OPENED + timedelta(minutes=number // 2)
        cast.incident(title=f"{number}", opened_at=at, status=Incident.Status.RESOLVED, resolved_at=at)
    seen: list[str] = []
    query = "?status=resolved"
    while query:
        context = reader.get(f"/incidents/{query}").context
        seen += [row.title for row in context["resolved"]]
        query = context["older"]
    assert seen == [str(number) for number in reversed(range(60))]
    assert reader.get("/incidents/?before=nonsense").status_code == 200


def test_too_many_active_ones_are_cut_and_it_says_so(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "SHOWN_ACTIVE", 3)
    monkeypatch.setattr(board, "COUNTED", 4)
    for number in range(6):
        cast.incident(title=f"{number}")
    answer = reader.get("/incidents/")
    assert len(answer.context["needs_you"]) == 3
    assert "Shown are the newest 3" in answer.content.decode()
    assert "Active 4+" in answer.content.decode()


def test_acting_from_the_board(reader: Client) -> None:
    incident = cast.incident()
    for verb, status in (("acknowledge", "acknowledged"), ("mitigate", "mitigated"), ("resolve", "resolved")):
        answer = reader.post(f"/incidents/{incident.pk}/board/{verb}/", HTTP_X_REQUESTED_WITH="fetch")
        assert answer.status_code == 204
        incident.refresh_from_db()
        assert incident.status == status
    refused = reader.post(f"/incidents/{incident.pk}/board/acknowledge/", HTTP_X_REQUESTED_WITH="fetch")
    assert refused.status_code == 409
    assert incident.reference in refused.content.decode()
    plain = reader.post(f"/incidents/{incident.pk}/board/resolve/", {"back": "severity=1&next=//evil.invalid"})
    assert plain["Location"] == "/incidents/?severity=1"
    assert reader.post(f"/incidents/{incident.pk}/board/delete/").status_code == 404


def test_a_viewer_reads_the_board_and_changes_nothing(client: Client) -> None:
    client.force_login(cast.person("vic", "viewer"))
    incident = cast.incident()
    assert "data-acts" not in client.get("/incidents/").content.decode()
    assert client.post(f"/incidents/{incident.pk}/board/resolve/").status_code == 403


def test_snoozed_until_then_it_is_elsewhere_and_its_alerts_open_nothing(reader: Client) -> None:
    now = timezone.now()
    incident = cast.incident(started_at=now, opened_at=now, last_anomaly_at=now)
    source = AlertSource.objects.create(name="am", kind="alertmanager", created_at=now)
    times = dict.fromkeys(("starts_at", "last_event_at", "first_received_at", "last_received_at"), now)
    Alert.objects.create(
        source=source, fingerprint="1", name="Slow", service="cart", status="firing", incident=incident, **times
    )
    reader.post(f"/incidents/{incident.pk}/board/snooze/", {"minutes": "60"})
    context = reader.get("/incidents/").context
    assert [(section.key, len(section.rows)) for section in context["sections"]] == [
        ("needs", 0),
        ("watching", 0),
        ("snoozed", 1),
    ]
    silence = Silence.objects.get()
    assert silence.matchers == {"name": "Slow", "service": "cart"}
    assert incident.timeline.filter(text__startswith="Snoozed until").exists()

    reader.post(f"/incidents/{incident.pk}/board/wake/")
    assert len(reader.get("/incidents/").context["needs_you"]) == 1
    silence.refresh_from_db()
    assert silence.ended_early_at is not None
    forever = reader.post(
        f"/incidents/{incident.pk}/board/snooze/", {"minutes": "99999"}, HTTP_X_REQUESTED_WITH="fetch"
    )
    assert forever.status_code == 409


def test_restricted_incidents_are_not_on_the_board_of_others(reader: Client) -> None:
    secret = cast.incident(title="secret", is_restricted=True)
    assert shown(reader, "") == set()
    assert reader.post(f"/incidents/{secret.pk}/board/resolve/").status_code == 404
