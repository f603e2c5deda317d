"""The runbook pages, as a reader, an editor and an approver see them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from runbooks.models import Document, Revision
from tests.runbooks.library import NOW, POOL, small_library, write

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_index(settings: Settings) -> None:
    settings.CHROMA_URL = "http://127.0.0.1:9"


def signed_in(*permissions: str) -> Client:
    user = User.objects.create_user("-".join(["mira", *permissions]))
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_document", *permissions)))
    client = Client()
    client.force_login(user)
    return client


def test_pages_want_a_sign_in() -> None:
    assert Client().get(reverse("runbook-list")).status_code == 302


def test_the_list_shows_state_and_progress() -> None:
    small_library()
    page = signed_in().get(reverse("runbook-list")).content.decode()
    assert "Connection pool exhausted" in page
    assert "0 of 8 passages are embedded" in page
    assert "Write a runbook" not in page


def test_an_empty_list_says_what_to_do() -> None:
    assert "import_runbooks" in signed_in().get(reverse("runbook-list")).content.decode()


def test_a_search_links_to_the_passage_and_says_what_was_missing() -> None:
    small_library()
    page = signed_in().get(reverse("runbook-list"), {"q": "5 of 5 in use"}).content.decode()
    assert "/runbooks/connection-pool-exhausted/#p-1" in page
    assert "The vector index was not used" in page


def test_a_search_without_a_hit_says_so() -> None:
    assert "Nothing found for “zebra”" in signed_in().get(reverse("runbook-list"), {"q": "zebra"}).content.decode()


def test_a_page_has_the_anchors_steps_and_history() -> None:
    revision = write("Pool", POOL, services=("payments",))
    page = signed_in().get(reverse("runbook-page", args=[revision.document.slug])).content.decode()
    assert 'id="p-1"' in page
    assert 'class="stepper"' in page
    assert "Approved, revision 1" in page
    assert "?revision=1" in page


def test_an_old_review_is_pointed_out() -> None:
    write("Pool", POOL)
    Revision.objects.update(reviewed_on=(NOW - timedelta(days=400)).date())
    assert "This may be out of date" in signed_in().get(reverse("runbook-page", args=["pool"])).content.decode()


@pytest.mark.parametrize("revision", ["7", "x", "99999999999999999999", "-1"])
def test_a_revision_that_is_not_there_is_not_found(revision: str) -> None:
    write("Pool", POOL)
    assert signed_in().get(reverse("runbook-page", args=["pool"]), {"revision": revision}).status_code == 404


def test_write_edit_and_approve() -> None:
    client = signed_in("change_revision", "approve_revision")
    made = client.post(
        reverse("runbook-new"),
        {"title": "Disk full", "markdown": "Free some.", "kind": "runbook", "services": "orders, payments"},
    )
    assert made.status_code == 302
    draft = Revision.objects.get()
    assert (draft.state, draft.document.services) == ("draft", ["orders", "payments"])
    editor = client.get(reverse("runbook-edit", args=["disk-full"]))
    seen = editor.context["seen"]
    client.post(
        reverse("runbook-edit", args=["disk-full"]), {"title": "Disk full", "markdown": "Free more.", "seen": seen}
    )
    seen = client.get(reverse("runbook-edit", args=["disk-full"])).context["seen"]
    client.post(reverse("runbook-approve", args=["disk-full", 1]), {"seen": seen})
    approved = Revision.objects.get()
    assert (approved.state, approved.markdown) == ("approved", "Free more.")
    assert str(approved.approved_by).startswith("mira")
    client.post(reverse("runbook-retire", args=["disk-full", 1]))
    assert Revision.objects.get().state == "retired"


def test_what_was_not_read_is_not_approved() -> None:
    client = signed_in("change_revision", "approve_revision")
    write("Pool", POOL, approve=False)
    client.post(reverse("runbook-approve", args=["pool", 1]), {"seen": "an earlier save"})
    assert Revision.objects.get().state == "draft"


def test_a_second_editor_keeps_the_typed_text_and_is_told() -> None:
    client = signed_in("change_revision")
    write("Pool", POOL)
    address = reverse("runbook-edit", args=["pool"])
    client.post(address, {"title": "Pool", "markdown": "First.", "seen": ""})
    second = client.post(address, {"title": "Pool", "markdown": "Second.", "seen": ""})
    assert second.status_code == 400
    assert "changed this draft meanwhile" in second.content.decode()
    assert "Second." in second.content.decode()


def test_an_edit_shows_what_changes() -> None:
    client = signed_in("change_revision")
    write("Pool", POOL)
    client.post(
        reverse("runbook-edit", args=["pool"]),
        {"title": "Pool", "markdown": POOL.replace("restart", "wait"), "seen": ""},
    )
    page = client.get(reverse("runbook-edit", args=["pool"])).content.decode()
    assert 'data-is="removed"' in page
    assert "Ask someone who may" in page, "this person may not approve"


def test_secrets_typed_into_the_editor_are_masked() -> None:
    signed_in("change_revision").post(
        reverse("runbook-new"), {"title": "Pool", "markdown": "password=hunter2secret", "kind": "runbook"}
    )
    assert "hunter2secret" not in Revision.objects.get().markdown


@pytest.mark.parametrize("name", ["runbook-approve", "runbook-retire", "runbook-discard", "runbook-embed-again"])
def test_a_reader_may_not_change_anything_and_a_get_never_does(name: str) -> None:
    write("Pool", POOL, approve=False)
    address = reverse(name, args=["pool", 1])
    assert signed_in().post(address).status_code == 403
    assert signed_in("change_revision", "approve_revision").get(address).status_code == 405
    assert Document.objects.exists()


def test_the_preview_is_safe() -> None:
    answer = signed_in("change_revision").post(
        reverse("runbook-preview"), {"markdown": "<script>x</script>\n\n1. Step"}
    )
    assert b"<script>" not in answer.content
    assert b"stepper" in answer.content


@pytest.mark.parametrize("model", ["document", "revision", "chunk"])
def test_the_admin_shows_records_and_changes_none(model: str) -> None:
    revision = write("Pool", POOL)
    records = {"document": revision.document, "revision": revision, "chunk": revision.chunks.first()}
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    record = records[model]
    assert record is not None
    assert client.get(reverse(f"admin:runbooks_{model}_changelist")).status_code == 200
    address = reverse(f"admin:runbooks_{model}_change", args=[record.pk])
    assert client.get(address).status_code == 200
    assert client.post(address, {}).status_code == 403
