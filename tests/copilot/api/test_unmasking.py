"""What a token stands for, for a program of somebody who may see it."""

import pytest

from copilot.models import AuditEntry, IdempotentReply, Unmasking
from copilot.privacy import vault
from tests import cast
from tests.copilot.api.caller import Caller

pytestmark = pytest.mark.django_db
WHY = {"token": "‹phone-1›", "reason": "calling the customer back"}


def test_it_is_told_once_and_written_down() -> None:
    incident, api = cast.incident(), Caller("SRE")
    vault.of_incident(incident.pk).hide("call +49 30 901820 back")
    path = f"/incidents/{incident.pk}/unmask"
    assert api("POST", path, WHY, Idempotency_Key="k").json() == {"stands_for": "+49 30 901820"}
    assert api("POST", path, WHY, Idempotency_Key="k").json() == {"stands_for": None}
    assert Unmasking.objects.get().by == api.user
    logged = AuditEntry.objects.get(table="copilot_unmasking")
    assert (logged.actor, logged.after["reason"]) == (api.user.username, WHY["reason"])
    assert "901820" not in str([*AuditEntry.objects.values(), *IdempotentReply.objects.values()])


def test_refusals_say_nothing_of_what_is_there() -> None:
    incident, hidden = cast.incident(), cast.incident(is_restricted=True)
    vault.of_incident(incident.pk).hide("call +49 30 901820 back")
    path = f"/incidents/{incident.pk}/unmask"
    for role in ("viewer", "responder", "manager"):
        api = Caller(role)
        there, missing = api("POST", path, WHY), api("POST", path, {**WHY, "token": "phone-9"})
        assert there.status_code == 403
        assert there.json() == missing.json(), "whether the token exists is not told"
    sre = Caller("SRE")
    assert sre("POST", path, {**WHY, "token": "phone-9"}).status_code == 404
    assert sre("POST", path, {**WHY, "reason": " "}).status_code == 422
    assert sre("POST", f"/incidents/{hidden.pk}/unmask", WHY).status_code == 404
    assert Caller("SRE", scopes=("read",))("POST", path, WHY).status_code == 403
    assert not Unmasking.objects.exists()
