"""`manage.py replay DIR`: feeds a recorded outage through the line and prints what was found."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils import timezone

from copilot import replay as replays
from copilot.evidence.bundle import EvidenceBundle, from_json
from copilot.evidence.wording import percent
from incidents.models import Incident
from incidents.telemetry.backend import TelemetryError


class Command(BaseCommand):
    """Replays a folder of OTLP/JSON lines (traces.jsonl.gz, logs.jsonl.gz, metrics.jsonl.gz)."""

    help = "Replay a recorded outage: store it, detect, open the incident, rank suspects, gather evidence."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="holds traces.jsonl.gz, logs.jsonl.gz or metrics.jsonl.gz")
        parser.add_argument("--baseline", type=Path, help="a fault-free recording of the same system")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--shift-to-now", action="store_true", help="move all times so that the recording ends now")
        parser.add_argument(
            "--dry-run", action="store_true", help="in memory: store nothing, open nothing; no evidence items"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for folder in filter(None, (options["folder"], options["baseline"])):
            if not folder.is_dir():
                raise CommandError(
                    f"{folder} is not a folder. Give one with traces.jsonl.gz, logs.jsonl.gz or metrics.jsonl.gz."
                )
        try:
            found = self._dry_run(options) if options["dry_run"] else self._replay(options)
        except TelemetryError as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(
                f"The database does not answer: {error}\nStart it with `manage.py up --detach`, set DATABASE_URL, or add --dry-run."
            ) from error
        self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) if options["json"] else _text(found))

    def _replay(self, options: dict[str, Any]) -> dict[str, Any]:
        done = replays.replay(
            options["folder"],
            baseline=options["baseline"],
            shift_to_now=options["shift_to_now"],
            now=timezone.now(),
        )
        return {
            "recording": options["folder"].name,
            "window": [done.window.start.isoformat(), done.window.end.isoformat()],
            "records": done.records,
            "opened_by": "the alert kept with the recording" if done.opened_by_alert else "detection",
            "incidents": [_incident(incident) for incident in done.incidents],
            "broken_lines": list(done.broken),
            "stage_seconds": done.stage_seconds,
        }

    def _dry_run(self, options: dict[str, Any]) -> dict[str, Any]:
        done = replays.dry_run(options["folder"], baseline=options["baseline"])
        return {
            "recording": options["folder"].name,
            "window": [done.window.start.isoformat(), done.window.end.isoformat()],
            "opened_by": "the alert kept with the recording" if done.opened_by_alert else "detection",
            "incidents": [
                {
                    "reference": "",
                    "title": group.title,
                    "severity": group.severity,
                    "services": list(group.services),
                    "started_at": group.started_at.isoformat(),
                    "opened_at": group.opened_at.isoformat(),
                    "suspects": [
                        {"service": s.service, "confidence": round(s.confidence, 3), "reason": s.reason, "evidence": []}
                        for s in ranking.suspects[:5]
                    ],
                    "ruled_out": [{"service": r.service, "reason": r.reason} for r in ranking.ruled_out],
                    "next_check": ranking.next_check,
                }
                for group, ranking in done.found
            ],
            "broken_lines": list(done.broken),
            "stage_seconds": done.stage_seconds,
        }


def _incident(incident: Incident) -> dict[str, Any]:
    bundle = from_json(incident.investigation.evidence)
    return {
        "reference": incident.reference,
        "title": incident.title,
        "severity": incident.severity,
        "services": incident.services,
        "started_at": incident.started_at.isoformat(),
        "opened_at": incident.opened_at.isoformat(),
        "suspects": [
            {"service": h.service, "confidence": h.confidence, "reason": h.sentence, "evidence": list(h.supporting)}
            for h in bundle.hypotheses
            if h.verdict != "ruled out"
        ],
        "ruled_out": [
            {"service": h.service, "reason": h.sentence, "evidence": list(h.opposing)}
            for h in bundle.hypotheses
            if h.verdict == "ruled out"
        ],
        "evidence": _items(bundle),
        "gaps": list(bundle.gaps),
        "next_check": bundle.next_check,
    }


def _items(bundle: EvidenceBundle) -> list[dict[str, str]]:
    return [{"id": i.id, "kind": i.kind.value, "role": i.role.value, "statement": i.statement} for i in bundle.items]


def _text(found: dict[str, Any]) -> str:
    lines = [f"Recording {found['recording']}, {found['window'][0]} to {found['window'][1]}"]
    lines += [f"  broken: {line}" for line in found["broken_lines"][:5]]
    if not found["incidents"]:
        lines.append("No incident: no signal left its usual range for long enough.")
    for incident in found["incidents"]:
        lines += [
            "",
            f"{incident['reference'] or 'Would open'}  SEV {incident['severity']}  {incident['title']}",
            f"  began {incident['started_at']}, opened {incident['opened_at']} by {found['opened_by']}",
            f"  affected: {', '.join(incident['services']) or 'unknown'}",
        ]
        lines += [
            f"  {percent(s['confidence']):>5}  {s['service']}: {s['reason']} {' '.join(s['evidence'])}".rstrip()
            for s in incident["suspects"]
        ]
        lines += [f"  not   {r['service']}: {r['reason']}" for r in incident["ruled_out"]]
        lines += [f"  {item['id']:>4}  {item['statement']}" for item in incident.get("evidence", [])]
        lines += [f"  unseen: {gap}" for gap in incident.get("gaps", [])]
        if incident["next_check"]:
            lines.append(f"  next: {incident['next_check']}")
    lines += ["", "Seconds: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["stage_seconds"].items())]
    return "\n".join(lines)
