import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from copilot.models import AuditEntry, Pseudonym, Unmasking
from copilot.privacy import vault
from copilot.privacy.pseudonyms import HidingFailed
from tests import cast

pytestmark = pytest.mark.django_db


def test_tokens_stay_the_same_for_every_worker_and_the_value_is_not_in_the_database() -> None:
    incident = cast.incident()
    one, other = vault.of_incident(incident.pk), vault.of_incident(incident.pk)
    assert one.hide("from 203.0.113.9") == "from ‹ip-1›"
    assert other.hide("from 198.51.100.4 and 203.0.113.9") == "from ‹ip-2› and ‹ip-1›"
    assert vault.of_incident(incident.pk).reveal("‹ip-1›, ‹ip-2›") == "203.0.113.9, 198.51.100.4"
    kept = str(list(Pseudonym.objects.values()))
    assert "203.0.113.9" not in kept
    assert "198.51" not in kept


def test_another_incident_has_tokens_of_its_own() -> None:
    first, second = cast.incident(), cast.incident()
    vault.of_incident(first.pk).hide("198.51.100.4 and 203.0.113.9")
    assert vault.of_incident(second.pk).hide("203.0.113.9") == "‹ip-1›"
    fingerprints = list(Pseudonym.objects.values_list("fingerprint", flat=True))
    assert len(set(fingerprints)) == 3, "nobody can tell from two incidents that a value is the same"


def test_looking_at_a_value_is_written_down() -> None:
    incident, mira = cast.incident(), cast.mira()
    vault.of_incident(incident.pk).hide("203.0.113.9")
    look = {"reason": "blocking the caller", "by": mira, "now": timezone.now()}
    for token in ("‹ip-1›", "ip-1", " ip-1 "):
        assert vault.unmask(incident.pk, token=token, **look) == "203.0.113.9"
    assert Unmasking.objects.count() == 3
    seen = Unmasking.objects.latest("pk")
    assert (seen.by, seen.token, seen.incident, seen.reason) == (mira, "‹ip-1›", incident, "blocking the caller")
    logged = AuditEntry.objects.filter(table="copilot_unmasking").latest("pk")
    assert logged.after["token"] == "‹ip-1›"
    assert "203.0.113.9" not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("token", ["ip-2", "‹ip-1", "name-x", "", "‹ip-1› or ‹ip-2›", "ip-" + "1" * 200])
def test_what_is_no_token_of_the_incident_stands_for_nothing(token: str) -> None:
    incident = cast.incident()
    if token != "‹ip-1":  # half a token is meant kindly
        vault.of_incident(incident.pk).hide("203.0.113.9")
    with pytest.raises(vault.UnknownPseudonym):
        vault.unmask(incident.pk, token=token, reason="looking", by=cast.mira(), now=timezone.now())
    assert not Unmasking.objects.exists()


@pytest.mark.parametrize("reason", ["", "  a ", "x" * 201])
def test_nobody_looks_without_saying_why(reason: str) -> None:
    incident = cast.incident()
    vault.of_incident(incident.pk).hide("203.0.113.9")
    with pytest.raises(vault.UnmaskingRefused, match="why"):
        vault.unmask(incident.pk, token="ip-1", reason=reason, by=cast.mira(), now=timezone.now())
    assert not Unmasking.objects.exists()


def test_with_another_key_nothing_is_hidden_halfway(settings: Settings) -> None:
    incident = cast.incident()
    vault.of_incident(incident.pk).hide("203.0.113.9")
    settings.SECRET_KEY = "another"
    with pytest.raises(HidingFailed, match="SECRET_KEY was changed"):
        vault.of_incident(incident.pk)
