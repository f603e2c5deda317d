import json
import re

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from pytest_django.fixtures import Settings
from pytest_httpserver import HTTPServer

from copilot import health
from incidents.models import OutboxMessage
from runbooks.index import VectorIndex
from tests.runbooks.library import small_library


@pytest.fixture(autouse=True)
def _fresh_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_REPORT", health.Report())


def ready(client: Client) -> tuple[int, dict[str, dict[str, object]]]:
    answer = client.get("/health/ready")
    return answer.status_code, json.loads(answer.content)


def test_live_needs_no_sign_in_and_no_database(client: Client) -> None:
    answer = client.get("/health/live")
    assert answer.status_code == 200
    assert json.loads(answer.content)["status"] == "ok"
    assert client.post("/health/live").status_code == 405


@pytest.mark.django_db
def test_ready_says_what_works_and_what_does_not(client: Client) -> None:
    status, report = ready(client)
    assert status == 200
    assert report["status"] == "degraded"  # no worker runs in this test
    components = report["components"]
    assert components["database"]["status"] == "ok"
    assert str(components["database"]["detail"]).startswith("PostgreSQL ")
    assert components["queue"]["status"] == "ok"
    assert components["workers"]["status"] == "down"
    assert "not explained" in str(components["workers"]["detail"])
    assert components["model"]["detail"] == "none chosen: answers are the evidence brief"


@pytest.mark.django_db
@override_settings(REDIS_URL="redis://:secret@127.0.0.1:1/0", CHROMA_URL="http://127.0.0.1:1", COPILOT_LLM="local")
def test_without_queue_index_and_model_it_still_serves(client: Client) -> None:
    status, report = ready(client)
    assert status == 200
    states = {name: each["status"] for name, each in report["components"].items()}
    assert (states["queue"], states["vector-index"], states["model"]) == ("down", "down", "degraded")
    assert "secret" not in json.dumps(report)


@pytest.mark.django_db
def test_an_index_that_answers_without_its_data_is_no_working_index(
    client: Client, httpserver: HTTPServer, settings: Settings
) -> None:
    """Its heartbeat would go on."""
    settings.CHROMA_URL = httpserver.url_for("").rstrip("/")
    httpserver.expect_request(re.compile("/api/v2/.*")).respond_with_json(
        {"error": "InternalError", "message": "database disk image is malformed"}, status=500
    )
    _, report = ready(client)
    assert report["components"]["vector-index"]["status"] == "down"
    assert "cannot read its data" in str(report["components"]["vector-index"]["detail"])


@pytest.mark.django_db
def test_an_index_that_is_being_filled_says_how_far_it_is(client: Client, chroma_url: str, settings: Settings) -> None:
    settings.CHROMA_URL = chroma_url
    VectorIndex(chroma_url).reset()
    _, report = ready(client)
    assert report["components"]["vector-index"]["status"] == "ok"
    small_library()
    health._REPORT = health.Report()
    _, report = ready(client)
    assert report["components"]["vector-index"]["status"] == "degraded"
    assert "has 0 of" in str(report["components"]["vector-index"]["detail"])


@pytest.mark.django_db
def test_a_task_that_nobody_publishes_is_told(client: Client) -> None:
    message = OutboxMessage.objects.create(task="copilot.tasks.investigate", arguments=[1], queue="investigate")
    OutboxMessage.objects.filter(pk=message.pk).update(created_at=timezone.now() - health.OUTBOX_PATIENCE * 2)
    _, report = ready(client)
    assert report["components"]["outbox"]["status"] == "degraded"
    assert "relay" in str(report["components"]["outbox"]["detail"])


def test_without_the_database_it_answers_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_database", lambda: (health.DOWN, "PostgreSQL does not answer"))
    status, report = ready(client)
    assert status == 503
    assert report["status"] == "down"
    assert report["components"]["outbox"]["status"] == "down"


@pytest.mark.django_db
def test_asking_often_asks_the_components_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(health, "_disk", lambda: asked.append(1) or (health.OK, "room"))
    monkeypatch.setattr(health, "KEPT_SECONDS", 60)
    ready(client)
    ready(client)
    assert asked == [1]
