"""The audit log: what is written, that it stays, and that its check names what was done to it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django.fixtures import Settings

from copilot import actor, audit
from copilot.models import AuditEntry
from incidents.models import Alert, AlertSource, Incident, IncidentTask, Service, SourceToken
from runbooks import curation
from runbooks.models import Document
from tests import cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
KEY = "a key for tests"


@pytest.fixture(autouse=True)
def without_entries_of_migrations(db: None) -> None:
    with as_the_database_owner():
        AuditEntry.objects.all().delete()


def written(table: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(table=table).order_by("pk"))


def sealed(count: int) -> dict[int, str]:
    """A sealed chain of so many entries, and its heads as a file would keep them."""
    for number in range(count):
        Service.objects.create(name=f"service-{number}", first_seen_at=NOW, last_seen_at=NOW)
    while audit.seal(key=KEY):
        continue
    return dict(AuditEntry.objects.values_list("number", "hmac"))  # type: ignore[arg-type]


@contextmanager
def as_the_database_owner() -> Iterator[None]:
    """What nobody but the owner of the tables can do."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE copilot_auditentry DISABLE TRIGGER USER")
        yield
        cursor.execute("ALTER TABLE copilot_auditentry ENABLE TRIGGER USER")


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_only_what_changed_is_written_with_who_changed_it() -> None:
    incident = cast.incident()
    actor.begin("mira")
    Incident.objects.filter(pk=incident.pk).update(status="acknowledged", acknowledged_at=NOW)
    actor.end()
    Incident.objects.filter(pk=incident.pk).update(severity=2)
    opened, acknowledged, graded = written("incidents_incident")
    assert (opened.actor, opened.action, opened.before) == ("co-pilot", "insert", None)
    assert (acknowledged.actor, acknowledged.row_id) == ("mira", str(incident.pk))
    assert acknowledged.before == {"status": "open", "acknowledged_at": None}
    assert acknowledged.after is not None
    assert set(acknowledged.after) == {"status", "acknowledged_at"}
    assert (graded.actor, graded.before, graded.after) == ("co-pilot", {"severity": 1}, {"severity": 2})


def test_counters_and_saves_that_change_nothing_write_nothing() -> None:
    incident = cast.incident()
    incident.save()
    Incident.objects.update(last_event_number=7, last_anomaly_at=NOW + timedelta(days=9))
    assert len(written("incidents_incident")) == 1


def test_secrets_are_named_and_never_shown() -> None:
    user = User.objects.create_user("mira", password="correct horse")
    user.set_password("battery staple")
    user.save()
    source = AlertSource.objects.create(name="shop", kind="generic", signing_secrets=["whsec_1"], created_at=NOW)
    SourceToken.objects.create(source=source, token_sha256="ab" * 32, beginning="cpt_1", created_at=NOW)
    shown = str([(entry.before, entry.after) for entry in AuditEntry.objects.all()])
    assert not any(secret in shown for secret in ("pbkdf2", "md5$", "whsec_1", "abab", str(user.password)))
    changed = written("auth_user")[-1]
    assert changed.before == changed.after == {"password": "[secret]"}


def test_a_deleted_row_is_written_whole_and_a_long_text_by_its_digest() -> None:
    task = IncidentTask.objects.create(
        incident=cast.incident(), text="Call the bank", created_at=NOW, created_by="mira"
    )
    task.delete()
    last = written("incidents_incidenttask")[-1]
    assert last.before is not None
    assert (last.action, last.before["text"], last.after) == ("delete", "Call the bank", None)
    text = curation.Text(title="Pool", markdown="word " * 2000, services=(), tags=(), owner="", reviewed_on=None)
    curation.draft(text, kind=Document.Kind.RUNBOOK, by=cast.mira(), now=NOW)
    revised = written("runbooks_revision")[0].after
    assert revised is not None
    assert len(revised["markdown"]) < 400
    assert "SHA-256" in revised["markdown"]


def test_a_snooze_of_an_alert_is_written_and_a_delivery_is_not() -> None:
    source = AlertSource.objects.create(name="shop", kind="generic", created_at=NOW)
    times = {"starts_at": NOW, "last_event_at": NOW, "first_received_at": NOW, "last_received_at": NOW}
    alert = Alert.objects.create(source=source, fingerprint="f", name="Errors", status="firing", **times)
    Alert.objects.update(deliveries=2, quiet="held", quiet_until=NOW)
    assert not written("incidents_alert")
    Alert.objects.update(quiet="snoozed", deliveries=3)
    [snoozed] = written("incidents_alert")
    assert (snoozed.row_id, snoozed.after) == (str(alert.pk), {"quiet": "snoozed"})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE copilot_auditentry SET actor = 'nobody'",
        "UPDATE copilot_auditentry SET hmac = repeat('0', 64) WHERE number = 1",
        "UPDATE copilot_auditentry SET number = 9, hmac = repeat('0', 64), actor = 'x' WHERE number IS NULL",
        "DELETE FROM copilot_auditentry",
        "TRUNCATE copilot_auditentry",
    ],
)
def test_nobody_but_the_owner_of_the_tables_changes_an_entry(statement: str) -> None:
    sealed(2)
    cast.incident()
    execute("ALTER TABLE copilot_auditentry ENABLE TRIGGER audit_not_emptied")
    before = list(AuditEntry.objects.values_list())
    with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
        execute(statement)
    assert list(AuditEntry.objects.values_list()) == before
    execute("ALTER TABLE copilot_auditentry DISABLE TRIGGER audit_not_emptied")


def test_a_whole_chain_holds_and_another_key_does_not_fit() -> None:
    kept = sealed(1200)
    found = audit.verify(key=KEY, kept=kept)
    assert (found.first_bad, found.head.number, found.unsealed) == (None, 1200, 0)
    assert audit.verify(key="another", kept={}).first_bad == 1
    cast.incident()
    assert audit.verify(key=KEY, kept=kept).unsealed == 1


@pytest.mark.parametrize(
    ("deed", "first_bad", "said"),
    [
        ("UPDATE copilot_auditentry SET actor = 'somebody' WHERE number = 4", 4, "not what was sealed"),
        ('UPDATE copilot_auditentry SET after = after || \'{"name": "x"}\' WHERE number = 7', 7, "not what was sealed"),
        ("DELETE FROM copilot_auditentry WHERE number = 5", 5, "missing: after 4 comes 6"),
        ("DELETE FROM copilot_auditentry WHERE number > 8", 9, "The end is missing: the head file knows entry 10"),
        ("UPDATE copilot_auditentry SET number = NULL, hmac = '' WHERE number = 10", 10, "The end is missing"),
        (
            "DELETE FROM copilot_auditentry WHERE number = 5; UPDATE copilot_auditentry SET number = number - 1 WHERE number > 5",
            5,
            "not what was sealed",
        ),
    ],
)
def test_what_the_owner_did_is_named_by_its_number(deed: str, first_bad: int, said: str) -> None:
    kept = sealed(10)
    with as_the_database_owner():
        execute(deed)
    found = audit.verify(key=KEY, kept={10: kept[10]})
    assert (found.first_bad, said in found.problem) == (first_bad, True), found.problem


def test_a_chain_sealed_anew_with_the_key_differs_from_the_kept_head() -> None:
    kept = sealed(10)
    with as_the_database_owner():
        execute("UPDATE copilot_auditentry SET actor = 'somebody' WHERE number = 4")
        execute("UPDATE copilot_auditentry SET number = NULL, hmac = '' WHERE number >= 4")
    audit.seal(key=KEY)
    assert audit.verify(key=KEY, kept={}).first_bad is None
    assert audit.verify(key=KEY, kept={3: kept[3], 7: kept[7], 10: kept[10]}).first_bad == 7


def test_the_command_reads_the_kept_head(settings: Settings, tmp_path: Path) -> None:
    settings.AUDIT_KEY, settings.AUDIT_HEAD_FILE = KEY, tmp_path / "audit" / "head.log"
    sealed(3)
    audit.keep_head(settings.AUDIT_HEAD_FILE, audit.newest(), now=NOW)
    assert settings.AUDIT_HEAD_FILE.stat().st_mode & 0o777 == 0o600
    said = io.StringIO()
    call_command("verify_audit", stdout=said)
    assert "holds: 3 entries" in said.getvalue()
    with as_the_database_owner():
        execute("DELETE FROM copilot_auditentry WHERE number = 3")
    with pytest.raises(CommandError, match="broken at entry 3"):
        call_command("verify_audit")
    settings.AUDIT_HEAD_FILE.write_text("not a head\n")
    with pytest.raises(CommandError, match="Line 1 is not a head"):
        call_command("verify_audit", head=settings.AUDIT_HEAD_FILE)
