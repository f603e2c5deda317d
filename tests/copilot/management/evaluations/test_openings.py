import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.outage import FAULT_AT, write_outage


def test_faults_and_calm_are_counted_by_system(tmp_path: Path) -> None:
    case = tmp_path / "shop" / "one"
    write_outage(case)
    write_outage(tmp_path / "_reference" / "calm", faulty=False)
    alert_at = (FAULT_AT + timedelta(minutes=1)).isoformat()
    told = {"case": "one", "dataset": "shop", "alert_at": alert_at, "reference": "_reference/calm"}
    (case / "case.json").write_text(json.dumps(told))
    truth = [{"case": "one", "service": "payments", "injected_at": FAULT_AT.isoformat()}]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    out = StringIO()
    call_command("evaluate", "openings", data=tmp_path, stdout=out)
    row = out.getvalue().splitlines()[1].split()
    assert row[:3] == ["shop", "1", "1"]
    assert row[4:6] == ["0", "in"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("evaluate", "openings", data=tmp_path / "none")
    with pytest.raises(CommandError, match="No truth file"):
        call_command("evaluate", "openings", data=tmp_path)
