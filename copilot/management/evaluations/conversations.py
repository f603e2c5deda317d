"""`manage.py evaluate conversations`: answers recorded investigations from their files, and compares with what had to be said."""

import json
import re
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from copilot.answers import asking
from copilot.answers.claims import Verdict
from copilot.evidence.attached.files import UnreadableFile
from copilot.llm.chat_model import ChatModel, chat_model

HELP = "answer recorded investigations from their files"


@dataclass(frozen=True, slots=True)
class Result:
    """One case. `met` says for each expected expression whether the answer has it; empty when the truth is not known."""

    case: str
    met: tuple[bool, ...]
    supported: int
    claims: int
    seconds: float
    prompt_tokens: int
    calls: int


def add_arguments(parser: ArgumentParser) -> None:
    """Add this subject's options."""
    parser.add_argument("--data", type=Path, required=True, help="folder of cases (a folder each, with case.json)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write CASE.json files to")
    parser.add_argument("--no-llm", action="store_true", help="no model: only what code finds")


def run(options: dict[str, Any], *, write: Callable[[str], object]) -> None:
    """Answer every case, write one JSON file each, and the table. Raises CommandError for what cannot be read."""
    data, out = options["data"], options["out"]
    cases = sorted(path.parent for path in data.glob("*/case.json")) if data.is_dir() else []
    if not cases:
        raise CommandError(f"--data {data} holds no cases. Give a folder with CASE/case.json and CASE/evidence/.")
    out.mkdir(parents=True, exist_ok=True)
    model = None if options["no_llm"] else chat_model()
    results = []
    for case in cases:
        result, answered = _answer(case, model)
        (out / f"{case.name}.json").write_text(json.dumps(answered, indent=1, ensure_ascii=False), encoding="utf-8")
        results.append(result)
        write(_row(result))
    write(f"{len(results)} questions answered by {model.name if model else 'code alone'}, one file each in {out}.")
    write(_total(results))


def _answer(folder: Path, model: ChatModel | None) -> tuple[Result, dict[str, Any]]:
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    files = sorted((folder / "evidence").iterdir())
    began = time.perf_counter()
    try:
        asked = asking.ask(_question(case), files=files, incident=None, chat_model=model, now=timezone.now())
    except (UnreadableFile, OSError) as error:
        raise CommandError(f"{folder}: {error}") from error
    seconds = time.perf_counter() - began
    claims = asked.answer.claims
    shown = " ".join(claim.text for claim in claims if claim.verdict is Verdict.SUPPORTED)
    tokens = sum(call.prompt_tokens for call in asked.answer.calls)
    answered = {
        "id": case["id"],
        "answer": shown,
        "claims": [
            {"text": claim.text, "citations": asking.citations(asked, claim), "verdict": claim.verdict.value}
            for claim in claims
        ],
        "seconds": seconds,
        "prompt_tokens": tokens,
        "calls": len(asked.answer.calls),
    }
    supported = sum(claim.verdict is Verdict.SUPPORTED for claim in claims)
    met = _met(folder / "answer.json", shown)
    return Result(folder.name, met, supported, len(claims), seconds, tokens, len(asked.answer.calls)), answered


def _question(case: dict[str, Any]) -> str:
    """Return the question with what the alert says; the alert's other fields are in the files."""
    alert = case.get("alert") or {}
    return " ".join(filter(None, (case["question"], alert.get("description", ""))))[:1000]


def _met(truth: Path, answer: str) -> tuple[bool, ...]:
    if not truth.exists():
        return ()
    expected: Iterable[str] = json.loads(truth.read_text(encoding="utf-8"))["answer_regexes"]
    return tuple(bool(re.search(pattern, answer, re.IGNORECASE)) for pattern in expected)


def _row(result: Result) -> str:
    met = f"{sum(result.met)}/{len(result.met)}" if result.met else "-"
    return (
        f"{result.case:40} {met:>5} said  {result.supported:2}/{result.claims:2} supported  {result.calls} calls"
        f" {result.prompt_tokens:6,} tokens {result.seconds:7.1f} s"
    )


def _total(results: list[Result]) -> str:
    known = [result for result in results if result.met]
    whole = sum(all(result.met) for result in known)
    claims, supported = sum(r.claims for r in results), sum(r.supported for r in results)
    return f"All that had to be said: {whole} of {len(known)} cases. Sentences supported by what they cite: {supported} of {claims}; the others are marked or struck."
