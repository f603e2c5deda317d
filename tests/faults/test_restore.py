"""Row 31: a backup of a running database, restored to an empty machine: the same counts, audit head, sign-in and search answers."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from copilot import audit
from copilot.embedded import postgres
from copilot.models import AuditEntry
from incidents.models import Incident
from runbooks import curation
from runbooks.models import Document
from runbooks.search import search
from tests import cast
from tests.services import ROOT, Run

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"

LOOK = """
import json, os
import django
django.setup()
from django.conf import settings
from django.test import Client
from copilot import audit
from copilot.embedded import dumps
from runbooks.search import search
with dumps.served(settings.DATABASE_URL, var=settings.VAR_DIR, is_up=False):
    browser = Client(headers={"Host": "localhost"})
    signed_in = browser.login(username="mira", password="correct horse battery")
    found = audit.verify(key=settings.AUDIT_KEY, kept={})
    print(json.dumps({
        "signed_in": signed_in,
        "page": browser.get("/incidents/").status_code,
        "audit": [found.head.number, found.head.hmac, found.first_bad],
        "search": [each.heading for each in search("pooler").passages],
    }))
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "COPILOT_VAR"}}
    given = {**kept, "DJANGO_SETTINGS_MODULE": "copilot.settings", **environment}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=given, capture_output=True, text=True, timeout=200, check=False
    )


def fill() -> None:
    mira = cast.mira(PASSWORD)
    cast.investigated(cast.incident())
    text = curation.Text(
        title="Pool", markdown="## Mend\n\nRestart the pooler.", services=(), tags=(), owner="", reviewed_on=None
    )
    curation.approve(curation.draft(text, kind=Document.Kind.RUNBOOK, by=mira, now=NOW), by=mira, now=NOW)
    while audit.seal(key=settings.AUDIT_KEY):
        continue


def test_what_was_backed_up_is_all_there_on_an_empty_machine(services: Run, tmp_path: Path) -> None:
    fill()
    database = f"postgresql://{postgres.USER}@/{connection.settings_dict['NAME']}?host={services.folder / 'sockets'}"
    source, new = services.folder / "var", services.folder / "new-machine"
    file = tmp_path / "monday.backup"
    made = run("manage.py", "backup", str(file), DATABASE_URL=database, COPILOT_VAR=str(source))
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    again = run("manage.py", "backup", str(file), DATABASE_URL=database, COPILOT_VAR=str(source))
    assert "is there already" in again.stderr

    new.mkdir()
    shutil.copytree(source / "audit", new / "audit")
    restored = run("manage.py", "restore", str(file), COPILOT_VAR=str(new))
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert str(AuditEntry.objects.count()) in restored.stdout
    look = run("-c", LOOK, COPILOT_VAR=str(new))
    assert look.returncode == 0, look.stderr
    head = audit.newest()
    assert json.loads(look.stdout.splitlines()[-1]) == {
        "signed_in": True,
        "page": 200,
        "audit": [head.number, head.hmac, None],
        "search": [each.heading for each in search("pooler").passages],
    }
    assert Incident.objects.count() == 1
    twice = run("manage.py", "restore", str(file), COPILOT_VAR=str(new))
    assert "restored into an empty one only" in twice.stderr

    file.write_bytes(file.read_bytes().replace(b"PGDMP", b"PGDMQ"))
    shutil.rmtree(new / "postgres")
    broken = run("manage.py", "restore", str(file), COPILOT_VAR=str(new))
    assert (broken.returncode, "damaged" in broken.stderr) == (1, True), broken.stderr


def test_without_the_old_keys_it_says_which_are_missing(services: Run, tmp_path: Path) -> None:
    fill()
    database = f"postgresql://{postgres.USER}@/{connection.settings_dict['NAME']}?host={services.folder / 'sockets'}"
    file, other = tmp_path / "monday.backup", services.folder / "no-keys"
    assert (
        run(
            "manage.py", "backup", str(file), DATABASE_URL=database, COPILOT_VAR=str(services.folder / "var")
        ).returncode
        == 0
    )
    restored = run("manage.py", "restore", str(file), COPILOT_VAR=str(other), SECRET_KEY="another")
    assert restored.returncode == 1
    assert "the audit key is another" in restored.stderr
    assert "the secret key is another" in restored.stderr
