"""An outage that ends when its cause is taken away: only then is the leading suspect confirmed, through the whole line."""

import gzip
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings

from copilot.evidence.assessment import Certainty, Result
from copilot.known import known_of
from copilot.replay import replay
from incidents.models import Incident

pytestmark = pytest.mark.django_db(transaction=True)

RECORDING = Path(settings.BASE_DIR) / "demo" / "recordings" / "slow-downstream"
HEALTHY = timedelta(minutes=10)
_TIME = re.compile(r'("\w*[tT]imeUnixNano":\s*"?)(\d+)')


def with_recovery(folder: Path) -> Path:
    """Write the recording with its own minutes before the fault again after its end: what telemetry shows once the change is rolled back."""
    injected_at = datetime.fromisoformat(json.loads((RECORDING / "truth.json").read_text())["injected_at"])
    lines = {
        path.name: gzip.decompress(path.read_bytes()).decode().splitlines() for path in RECORDING.glob("*.jsonl.gz")
    }
    times = [
        int(found[2]) for kind in lines.values() for line in kind for found in _TIME.finditer(line) if int(found[2])
    ]
    first, by = min(times), max(times) - min(times) + 10**9
    until = min(int(injected_at.timestamp()) * 10**9, first + int(HEALTHY.total_seconds()) * 10**9)
    folder.mkdir()
    for name, kind in lines.items():
        again = [_moved(line, by) for line in kind if all(int(t[2]) < until for t in _TIME.finditer(line))]
        (folder / name).write_bytes(gzip.compress("\n".join([*kind, *again, ""]).encode()))
    return folder


def _moved(line: str, by: int) -> str:
    return _TIME.sub(lambda found: f"{found[1]}{int(found[2]) + by if int(found[2]) else 0}", line)


def test_recovery_confirms_what_was_only_likely_before(tmp_path: Path) -> None:
    found = replay(with_recovery(tmp_path / "recovered"), now=datetime.now().astimezone())
    bundles = [known_of(Incident.objects.get(pk=one.pk)).bundle for one in found.incidents]
    verdicts = [bundle.assessment for bundle in bundles if bundle and bundle.assessment]
    confirmed = next(one for one in verdicts if one.service == "payments")
    assert confirmed.certainty is Certainty.CONFIRMED
    recovery = next(one for one in confirmed.attempts if one.check == "recovery")
    assert recovery.result is Result.WITHSTOOD
    assert "payments was back to usual at" in recovery.answer
    assert confirmed.confidence >= 0.9
