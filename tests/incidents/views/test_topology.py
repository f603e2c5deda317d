import pytest
from django.test import Client
from django.utils import timezone

from incidents import monitoring
from incidents.models import Service, ServiceEdge
from incidents.views.topology import picture
from tests.cast import HOSTILE, person

pytestmark = pytest.mark.django_db


def test_people_add_and_remove_calls_and_spans_do_not_bring_them_back(client: Client) -> None:
    client.force_login(person("sara", "SRE"))
    client.post("/settings/topology/add/", {"caller": "checkout", "callee": "payments"})
    now = timezone.now()
    assert monitoring.known_edges(now=now) == {("checkout", "payments")}
    edge = ServiceEdge.objects.get()
    client.post(f"/settings/topology/{edge.pk}/", {"do": "remove"})
    monitoring.learn_edges({("checkout", "payments"), ("checkout", "cart")}, now=now)
    assert monitoring.known_edges(now=now) == {("checkout", "cart")}
    page = client.get("/settings/topology/").content.decode()
    assert "Not believed" in page
    client.post(f"/settings/topology/{edge.pk}/", {"do": "learn"})
    assert len(monitoring.known_edges(now=now)) == 2
    assert (
        "two different services"
        in client.post("/settings/topology/add/", {"caller": "a", "callee": "a"}, follow=True).content.decode()
    )


def test_names_are_nothing_but_text(client: Client) -> None:
    client.force_login(person("vera", "viewer"))
    now = timezone.now()
    monitoring.learn_edges({(HOSTILE[:190], "payments")}, now=now)
    assert Service.objects.count() == 2
    page = client.get("/settings/topology/").content.decode()
    assert "<script>window" not in page
    assert client.post("/settings/topology/add/", {"caller": "a", "callee": "b"}).status_code == 403


def test_the_picture_puts_callees_right_of_callers_even_in_a_circle() -> None:
    drawn = picture({("storefront", "checkout"), ("checkout", "payments"), ("payments", "checkout")})
    assert drawn is not None
    x = {node.name: node.x for node in drawn.nodes}
    assert x["storefront"] < x["checkout"]
    assert len(drawn.arrows) == 3
    many = picture({(f"a{n}", "hub") for n in range(200)})
    assert many is not None
    assert (len(many.nodes), many.left_out) == (60, 141)
    assert picture(set()) is None
