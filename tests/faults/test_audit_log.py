"""Row 32: what somebody with all rights in the database did to the audit log is found by `manage.py verify_audit`, by its number."""

import os
import subprocess
import sys

import pytest

from tests.faults.line import Line
from tests.services import ROOT

AS_OWNER = "ALTER TABLE copilot_auditentry {} TRIGGER USER"


def verify(line: Line) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "verify_audit"],
        cwd=ROOT,
        env={**os.environ, **line.variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def tamper(line: Line, statement: str) -> None:
    line.change(AS_OWNER.format("DISABLE"))
    line.change(statement)
    line.change(AS_OWNER.format("ENABLE"))


@pytest.mark.timeout(200)
def test_what_was_changed_cut_out_or_cut_off_is_named(line: Line) -> None:
    relay = line.start_relay()
    for number in range(10):
        line.source(name=f"audited {number}")
    sealed = "SELECT count(*) FROM copilot_auditentry WHERE number IS NULL"
    line.wait(
        lambda: line.ask("SELECT count(*) >= 10 FROM copilot_auditentry") == [(True,)] and line.ask(sealed) == [(0,)]
    )
    [(last,)] = line.ask("SELECT max(number) FROM copilot_auditentry")
    head = line.folder / "var" / "audit"
    line.wait(lambda: any(f"{last}" in file.read_text() for file in head.glob("*") if file.is_file()))
    relay.stop()
    assert verify(line)[0] == 0
    tamper(line, "UPDATE copilot_auditentry SET actor = 'somebody' WHERE number = 4")
    status, said = verify(line)
    assert (status, "broken at entry 4" in said) == (1, True), said
    tamper(
        line,
        "UPDATE copilot_auditentry SET actor = (SELECT actor FROM copilot_auditentry WHERE number = 5) WHERE number = 4",
    )
    assert verify(line)[0] == 0, "put back as it was"
    tamper(line, "DELETE FROM copilot_auditentry WHERE number = (SELECT max(number) FROM copilot_auditentry)")
    status, said = verify(line)
    assert (status, f"broken at entry {last}" in said, "The end is missing" in said) == (1, True, True), said
    tamper(line, "DELETE FROM copilot_auditentry WHERE number = 5")
    status, said = verify(line)
    assert (status, "broken at entry 5" in said) == (1, True), said
