"""Files attached on an incident's page."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from copilot.evidence.attached import rows
from incidents.models import Incident
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident() -> Incident:
    found = cast.incident()
    cast.investigated(found)
    return found


@pytest.fixture
def responder(client: Client) -> Client:
    client.force_login(cast.person("rosa", "responder"))
    return client


def upload(client: Client, incident: Incident, content: bytes, *, in_place: bool = True):  # type: ignore[no-untyped-def]
    file = SimpleUploadedFile("pod.log", content)
    headers = {"X-Requested-With": "fetch"} if in_place else {}
    return client.post(f"/attachments/{incident.pk}/", {"file": file}, headers=headers)


def test_a_file_is_taken_shown_as_evidence_and_its_lines_can_be_read(responder: Client, incident: Incident) -> None:
    answer = upload(responder, incident, b"one\nERROR disk <b>full</b>\n")
    assert (answer.status_code, answer.content) == (201, b"pod.log")
    rows.pin(incident.pk, now=cast.OPENED)
    page = responder.get(f"/incidents/{incident.pk}/").content.decode()
    assert "ERROR: “disk &lt;b&gt;full&lt;/b&gt;”." in page
    assert f'href="/incidents/{incident.pk}/files/pod.log/?line=2#line"' in page
    lines = responder.get(f"/incidents/{incident.pk}/files/pod.log/?line=2").content.decode()
    assert 'aria-current="true"><span class="number">2</span><span>ERROR disk &lt;b&gt;full&lt;/b&gt;</span>' in lines


def test_what_is_no_text_is_refused_with_the_reason(responder: Client, incident: Incident) -> None:
    answer = upload(responder, incident, b"\x00\x01")
    assert answer.status_code == 409
    assert "no text file" in answer.content.decode()
    assert not incident.attachments.exists()
    assert upload(responder, incident, b"\x00\x01", in_place=False).status_code == 302


def test_a_long_file_is_shown_in_parts(responder: Client, incident: Incident) -> None:
    upload(responder, incident, "\n".join(f"line {n}" for n in range(1, 2001)).encode())
    page = responder.get(f"/incidents/{incident.pk}/files/pod.log/?line=1000").content.decode()
    assert page.count('<span class="number">') == 400
    assert "Earlier lines" in page
    assert "Later lines" in page
    assert responder.get(f"/incidents/{incident.pk}/files/pod.log/?line=x").status_code == 400
    assert responder.get(f"/incidents/{incident.pk}/files/none.log/").status_code == 404


def test_readers_attach_nothing_and_see_no_file_of_what_they_may_not_see(client: Client, incident: Incident) -> None:
    client.force_login(cast.person("vic", "viewer"))
    assert upload(client, incident, b"one").status_code == 403
    Incident.objects.filter(pk=incident.pk).update(is_restricted=True)
    assert client.get(f"/incidents/{incident.pk}/files/pod.log/").status_code == 404


def test_a_file_is_searched_for_all_words(responder: Client, incident: Incident) -> None:
    upload(responder, incident, "\n".join(f"line {n} of <pod>" for n in range(1, 2001)).encode())
    page = responder.get(f"/incidents/{incident.pk}/files/pod.log/", {"q": 'LINE "1999 of"'}).content.decode()
    assert "1 of 2000" in page
    assert "line=1999#line" in page
    assert "&lt;pod&gt;" in page
    many = responder.get(f"/incidents/{incident.pk}/files/pod.log/", {"q": "pod"}).content.decode()
    assert "2000 of 2000, the first 200 shown" in many
    assert (
        "No line holds all" in responder.get(f"/incidents/{incident.pk}/files/pod.log/", {"q": "x y"}).content.decode()
    )
