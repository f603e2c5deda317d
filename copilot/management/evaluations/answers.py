"""`manage.py evaluate answers`: has models answer from pinned investigations of which the cause is known, beside an arm without any model."""

import json
import re
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from copilot.answers import composition, prompting
from copilot.answers.asking import Silent
from copilot.answers.claims import Verdict
from copilot.answers.composition import Answer
from copilot.evidence import bundle as bundles
from copilot.evidence.bundle import EvidenceBundle
from copilot.llm import chat_model, prompts, providers
from copilot.llm.chat_model import ChatModel
from copilot.llm.purposes import Purpose
from copilot.llm.usage import cost_usd
from incidents.intake import masking

HELP = "have models answer from pinned investigations, beside code alone"
CODE_ALONE = "code alone"
PINNED = Path(settings.BASE_DIR) / "demo" / "pinned"


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known: the service that caused it, and expressions that sentences of a right answer meet."""

    service: str
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A pinned investigation. `evidence` is a bundle as JSON; an empty question asks for the explanation."""

    name: str
    question: str
    evidence: Mapping[str, Any]
    truth: Truth


@dataclass(frozen=True, slots=True)
class Result:
    """One case by one arm. `right`: the leading verdict and the supported sentences name the cause, and say what had to be said.

    `supported` and `sentences` count what the arm itself wrote: of a model, not what code had said before it. `usd` is None when a price
    is not known.
    """

    case: str
    right: bool
    supported: int
    sentences: int
    calls: int
    prompt_tokens: int
    output_tokens: int
    seconds: float
    usd: Decimal | None
    failure: str


def to_json(case: Case) -> dict[str, Any]:
    """Return what a pinned file holds."""
    truth = {"service": case.truth.service, "says": list(case.truth.says)}
    return {"question": case.question, "truth": truth, "evidence": dict(case.evidence)}


def add_arguments(parser: ArgumentParser) -> None:
    """Add this subject's options."""
    parser.add_argument("--data", type=Path, default=PINNED, help="folder of pinned investigations (`manage.py pin`)")
    parser.add_argument("--out", type=Path, help="folder to write ARM/CASE.json files to")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        help="a model in the form of COPILOT_LLM; may be given several times; without it, those that COPILOT_LLM names",
    )
    parser.add_argument("--prompt", default=settings.LLM_PROMPT_VERSION, help="which version of the prompt")
    parser.add_argument("--no-llm", action="store_true", help="only the arm without a model")


def run(options: dict[str, Any], *, write: Callable[[str], object]) -> None:
    """Answer every case by every arm; print a row each and a table. Raises CommandError for what cannot be read."""
    cases = load(options["data"])
    arms = _arms(options)
    table = []
    for name, model in arms.items():
        results = []
        for case in cases:
            result, answer = answer_case(case, model)
            results.append(result)
            write(_row(name, result))
            if options["out"]:
                _keep(options["out"] / re.sub(r"[^\w.-]+", "-", name), case, answer)
        table.append(_total(name, results))
    write(
        f"\n{'arm':40} {'right':>7} {'no answer':>9} {'supported':>12} {'calls':>5} {'tokens in/out':>15} {'seconds':>8} {'money':>8}"
    )
    for row in table:
        write(row)


def load(folder: Path) -> list[Case]:
    """Return the pinned investigations of a folder by name. Raises CommandError."""
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        raise CommandError(
            f"--data {folder} holds no pinned investigation. Write one with `manage.py pin INCIDENT FILE`."
        )
    try:
        return [_case(file) for file in files]
    except (ValueError, KeyError) as error:
        raise CommandError(f"{folder} holds a file that `manage.py pin` did not write: {error}") from error


def answer_case(case: Case, model: ChatModel | None) -> tuple[Result, Answer]:
    """Answer a case and judge the answer by what is known to be true."""
    bundle = bundles.from_json(case.evidence)
    began = time.perf_counter()
    answer = composition.compose(
        question=case.question,
        bundle=bundle,
        history=(),
        chat_model=model,
        listener=Silent(),
        mask=masking.mask,
    )
    seconds = time.perf_counter() - began
    supported = [claim.text for claim in answer.claims if claim.verdict is Verdict.SUPPORTED]
    own = [claim for claim in answer.claims if claim.by_model or model is None]
    costs = [cost_usd(call) for call in answer.calls]
    return Result(
        case=case.name,
        right=_is_right(case.truth, bundle, supported),
        supported=sum(claim.verdict is Verdict.SUPPORTED for claim in own),
        sentences=len(own),
        calls=len(answer.calls),
        prompt_tokens=sum(call.prompt_tokens for call in answer.calls),
        output_tokens=sum(call.output_tokens for call in answer.calls),
        seconds=seconds,
        usd=None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
        failure=answer.failure,
    ), answer


def _is_right(truth: Truth, bundle: EvidenceBundle, supported: list[str]) -> bool:
    leader = next((h.service for h in bundle.hypotheses if h.verdict == "likely"), "")
    said = all(any(re.search(each, text, re.IGNORECASE) for text in supported) for each in truth.says)
    return leader == truth.service and any(truth.service in text for text in supported) and said


def _case(file: Path) -> Case:
    pinned = json.loads(file.read_text(encoding="utf-8"))
    truth = Truth(pinned["truth"]["service"], tuple(pinned["truth"]["says"]))
    bundles.from_json(pinned["evidence"])
    return Case(file.stem, pinned["question"], pinned["evidence"], truth)


def _arms(options: dict[str, Any]) -> dict[str, ChatModel | None]:
    """Return the arms by name: code alone first, whatever is asked for."""
    if options["prompt"] not in prompts.versions(prompting.PROMPT):
        raise CommandError(f"--prompt {options['prompt']}: there are {', '.join(prompts.versions(prompting.PROMPT))}.")
    arms: dict[str, ChatModel | None] = {CODE_ALONE: None}
    if options["no_llm"]:
        return arms
    try:
        choices = [providers.named_choice(named) for named in options["model"]] or providers.choose(Purpose.CHAT)
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    for choice in choices:
        model = chat_model.model_of(choice)
        arms[choice.name] = replace(model, budget=replace(model.budget, version=options["prompt"]))
    return arms


def _keep(folder: Path, case: Case, answer: Answer) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    said = {"id": case.name, "question": case.question, "claims": [asdict(claim) for claim in answer.claims]}
    text = json.dumps(said | {"failure": answer.failure}, indent=1, ensure_ascii=False)
    (folder / f"{case.name}.json").write_text(text, encoding="utf-8")


def _row(arm: str, result: Result) -> str:
    return (
        f"{arm[:34]:34} {result.case:24} {'right' if result.right else 'WRONG':5}  {result.supported:2}/{result.sentences:2} supported"
        f"  {result.calls} calls {result.prompt_tokens:6,} tokens {result.seconds:6.1f} s  {result.failure}".rstrip()
    )


def _total(arm: str, results: list[Result]) -> str:
    supported, sentences = sum(r.supported for r in results), sum(r.sentences for r in results)
    usd = (
        None if any(r.usd is None for r in results) else sum((r.usd for r in results if r.usd is not None), Decimal(0))
    )
    share = f"{supported}/{sentences} {supported / sentences:.0%}" if sentences else "none"
    tokens = f"{sum(r.prompt_tokens for r in results):,}/{sum(r.output_tokens for r in results):,}"
    money = "unknown" if usd is None else f"${usd:.4f}"
    right = f"{sum(r.right for r in results)} of {len(results)}"
    return (
        f"{arm[:40]:40} {right:>7} {sum(not r.sentences for r in results):9} {share:>12} {sum(r.calls for r in results):5} {tokens:>15}"
        f" {sum(r.seconds for r in results):8.1f} {money:>8}"
    )
