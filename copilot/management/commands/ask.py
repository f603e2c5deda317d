"""`manage.py ask "question" [--incident ID] [--attach FILE…]`: an answer in the shell, every sentence checked against what it cites."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils import timezone

from copilot.answers import asking
from copilot.answers.asking import Asked, NothingToAskAbout
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.answers.investigation.describe import described
from copilot.evidence.attached.files import UnreadableFile
from copilot.llm import capabilities
from copilot.llm.chat_model import ChatModel, chat_model, chat_models, in_order, status
from copilot.llm.purposes import Purpose
from incidents.models import Investigation

MARKS = {Verdict.SUPPORTED: " ", Verdict.UNVERIFIED: "?", Verdict.STRUCK: "x"}
EXCERPT_LINES, EXCERPT_LENGTH = 3, 160


class Command(BaseCommand):
    """Needs the database only for --incident, and no running site."""

    help = "Answer a question on an incident, on files, or on both."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("question")
        parser.add_argument("--incident", type=int, help="an incident's number")
        parser.add_argument(
            "--attach",
            type=Path,
            nargs="+",
            action="extend",
            default=[],
            metavar="FILE",
            help="logs, command output, configuration, CSV; gzip too",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--no-llm", action="store_true", help="no model: only what code finds")

    def handle(self, *args: Any, **options: Any) -> None:
        model = None if options["no_llm"] else _model(with_database=bool(options["incident"]))
        if model is not None and not (told := status())["available"]:
            self.stderr.write(f"{told['detail']} The answer is what code finds.")
            model = None
        try:
            incident = self._incident(options["incident"]) if options["incident"] else None
            asked = asking.ask(
                options["question"], files=options["attach"], incident=incident, chat_model=model, now=timezone.now()
            )
        except (NothingToAskAbout, UnreadableFile) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        self.stdout.write(json.dumps(to_json(asked), indent=2, ensure_ascii=False) if options["json"] else _text(asked))

    def _incident(self, number: int) -> Investigation:
        try:
            ready = Investigation.objects.filter(incident_id=number, state=Investigation.State.READY)
            pinned = ready.select_related("incident").first()
        except OperationalError as error:
            raise CommandError(
                f"The database does not answer: {error}. Start it with `manage.py up --detach`."
            ) from error
        if pinned is None:
            raise CommandError(f"There is no incident {number}, or its evidence is still being gathered.")
        return pinned


def _model(*, with_database: bool) -> ChatModel | None:
    """Return the model for investigations when it can call tools, else that for questions. What a model can do is kept in the database."""
    describe = capabilities.kept if with_database else None
    investigating = in_order(chat_models(Purpose.INVESTIGATION, describe=describe))
    return investigating if investigating is not None and investigating.can_call_tools else chat_model()


def to_json(asked: Asked) -> dict[str, Any]:
    """Return the answer with its claims and what each cites, as JSON types."""
    return {
        "answer": " ".join(claim.text for claim in asked.answer.claims if claim.verdict is not Verdict.STRUCK),
        "claims": [
            {
                "text": claim.text,
                "citations": asking.citations(asked, claim),
                "verdict": claim.verdict.value,
                "reason": claim.reason,
            }
            for claim in asked.answer.claims
        ],
        "looked_at": [
            {"what": described(step.tool, step.values), "state": step.state, "evidence": list(step.evidence)}
            for step in asked.steps
        ],
        "failure": asked.answer.failure,
        "not_read": list(asked.bundle.gaps),
    }


def _text(asked: Asked) -> str:
    lines = [f"{MARKS[claim.verdict]} {claim.text}{_cites(claim)}" for claim in asked.answer.claims]
    if not lines:
        lines.append("  Nothing in what was given answers this.")
    if asked.answer.failure:
        lines.append(f"  ({asked.answer.failure})")
    looked = [
        f"  {described(step.tool, step.values)} [{', '.join(step.evidence) or step.state}]" for step in asked.steps
    ]
    lines += ["", "Looked at:", *looked] if looked else []
    shown = {item.id: item for claim in asked.answer.claims for item in asked.cited(claim)}
    for item in shown.values():
        lines += ["", f"{item.id}  {item.query}"]
        lines += [f"    {line[:EXCERPT_LENGTH]}" for line in item.excerpt[:EXCERPT_LINES]]
    if asked.bundle.gaps:
        lines += ["", *asked.bundle.gaps]
    if any(claim.verdict is not Verdict.SUPPORTED for claim in asked.answer.claims):
        lines += ["", "? not found in what it cites; x contradicts what it cites"]
    return "\n".join(lines)


def _cites(claim: CheckedClaim) -> str:
    reason = f" ({claim.reason})" if claim.reason else ""
    return f" [{', '.join(claim.cites)}]{reason}" if claim.cites else reason
