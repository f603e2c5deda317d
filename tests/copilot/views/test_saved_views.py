"""Filters kept under a name: one's own, and those that others share."""

import pytest
from django.test import Client

from copilot.models import SavedView
from tests import cast

pytestmark = pytest.mark.django_db


def test_keeping_sharing_and_removing(client: Client) -> None:
    ada, ben = cast.person("ada", "responder"), cast.person("ben", "viewer")
    cast.incident()
    client.force_login(ada)
    query = "?severity=1&q=cart&before=12-3&csrfmiddlewaretoken=x"
    kept = client.post("/views/", {"page": "incidents", "name": "  Cart,  bad ", "query": query, "shared": "1"})
    assert kept["Location"] == "/incidents/?severity=1&q=cart"
    client.post("/views/", {"page": "trends", "name": "Mine", "query": "period=12m"})
    view = SavedView.objects.get(page="incidents")
    assert view.name == "Cart, bad"

    client.force_login(ben)
    said = client.get("/incidents/").content.decode()
    assert "/incidents/?severity=1&amp;q=cart" in said
    assert "period=12m" not in said
    assert client.post(f"/views/{view.pk}/remove/").status_code == 404
    client.force_login(ada)
    client.post(f"/views/{view.pk}/remove/")
    assert not SavedView.objects.filter(page="incidents").exists()


def test_the_same_name_replaces_and_there_is_a_limit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilot.views.saved_views.MOST", 2)
    client.force_login(cast.person("ada", "viewer"))
    for name, query in (("a", "q=1"), ("a", "q=2"), ("b", "q=3"), ("c", "q=4")):
        client.post("/views/", {"page": "incidents", "name": name, "query": query})
    assert dict(SavedView.objects.values_list("name", "query")) == {"a": "q=2", "b": "q=3"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"page": "elsewhere", "name": "x"}, 400),
        ({"page": "incidents", "name": "x", "query": "q=" + "a" * 2000}, 400),
        ({"page": "incidents", "name": " "}, 302),
    ],
)
def test_what_makes_no_sense_is_not_kept(client: Client, sent: dict[str, str], status: int) -> None:
    client.force_login(cast.person("ada", "viewer"))
    assert client.post("/views/", sent).status_code == status
    assert not SavedView.objects.exists()
