"""`manage.py evaluate masking`: how much of planted secrets and personal data is gone before a model reads it, and what is hidden in vain."""

import re
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from copilot.llm.redaction import RedactionFailed, redact
from copilot.management.evaluations.planted import first_people, first_secrets, ordinary, second_people, second_secrets
from copilot.management.evaluations.planted.shapes import Planted
from copilot.privacy.cover import cover
from copilot.privacy.pseudonyms import TOKEN, Pseudonyms

HELP = "mask planted secrets and personal data, and ordinary log lines"
TARGETS = {"secrets": 0.99, "personal data": 0.95, "ordinary lines": 0.02}
LEFT = 8  # characters of a value in a row that are left: it has leaked
SHOWN = 12  # misses printed for each table
Corpus = Callable[[str], Iterator[Planted]]
CORPORA: dict[tuple[str, str], Corpus] = {
    ("first", "secrets"): first_secrets.planted,
    ("first", "personal data"): first_people.planted,
    ("second", "secrets"): second_secrets.planted,
    ("second", "personal data"): second_people.planted,
}
_BETWEEN = re.compile(r"[ ()+./-]")  # the digits of a number
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}\b")


@dataclass
class Score:
    """How many of a kind were planted and gone; `stopped` of them because the last look before sending found them and nothing was sent."""

    whole: int = 0
    gone: int = 0
    stopped: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Return the recall."""
        return self.gone / self.whole if self.whole else 1.0


def add_arguments(parser: ArgumentParser) -> None:
    """Add this subject's options."""
    parser.add_argument("--seed", default="1", help="another seed draws other values")
    parser.add_argument("--lines", type=int, default=3000, help="how many ordinary lines of each half")
    parser.add_argument(
        "--data", type=Path, help="folder with log files (*.log) of real systems to count changed lines in"
    )
    parser.add_argument("--misses", action="store_true", help="print what was missed or hidden in vain")


def run(options: dict[str, Any], *, write: Callable[[str], object]) -> None:
    """Print recall by half and kind with 95 % intervals, and false positives. Raises CommandError for a folder without logs."""
    write(f"{'half':8} {'what':32} {'gone':>12} {'share':>8}  {'95 % interval':17} {'stopped':>7}")
    for (half, what), corpus in CORPORA.items():
        scores = recall(corpus(options["seed"]))
        for kind, score in (*sorted(scores.items()), (f"all {what} (≥ {TARGETS[what]:.0%})", summed(scores.values()))):
            write(f"{half:8} {kind:32} {_counts(score.gone, score.whole)} {score.stopped:7}")
            for line in score.missed[:SHOWN] if options["misses"] and not kind.startswith("all") else ():
                write(f"         missed: {line!r}")
    for half in sorted({half for half, _ in CORPORA}):
        _vain(
            f"{half:8} ordinary lines (≤ 2 %)",
            ordinary.lines(half, count=options["lines"], seed=options["seed"]),
            options,
            write,
        )
    if options["data"]:
        for name, lines in logs_in(options["data"]):
            _vain(f"real     {name}", lines, options, write)


def recall(planted: Iterable[Planted]) -> dict[str, Score]:
    """Return the scores by kind."""
    scores: dict[str, Score] = defaultdict(Score)
    for each in planted:
        score = scores[each.kind]
        score.whole += 1
        sent = sent_of(each.line)
        if sent is None or not is_left(each.traces, sent):
            score.gone += 1
            score.stopped += sent is None
        else:
            score.missed.append(f"{each.way}: {each.line} → {sent}"[:400])
    return dict(scores)


def sent_of(text: str) -> str | None:
    """Return what would be sent to a model of a text, None when the last look stops it."""
    pseudonyms = Pseudonyms()
    try:
        return redact(cover(text, pseudonyms), mask=lambda again: cover(again, pseudonyms))
    except RedactionFailed:
        return None


def is_left(traces: Iterable[str], sent: str) -> bool:
    """Return whether so much of a trace is left that it has leaked: eight characters in a row, or a short one whole; of a number its digits."""
    if any(_has_part(trace, sent) for trace in traces):
        return True
    numbers = [digits for trace in traces if (digits := _BETWEEN.sub("", trace)).isdecimal()]
    return bool(numbers) and any(_has_part(number, _BETWEEN.sub("", sent)) for number in numbers)


def _has_part(trace: str, sent: str) -> bool:
    return any(trace[start : start + LEFT] in sent for start in range(max(len(trace) - LEFT, 0) + 1))


def hidden_in_vain(lines: Iterable[str]) -> tuple[int, list[tuple[str, str]]]:
    """Return how many lines there are, and those that changed, with what became of them; public addresses and e-mail addresses are no vain ones."""
    count, changed = 0, []
    for line in lines:
        count += 1
        pseudonyms = Pseudonyms()
        covered = cover(line, pseudonyms)
        shown = _with_addresses(covered, pseudonyms)
        if shown not in (line, _EMAIL.sub("[email]", line)):
            changed.append((line, covered))
    return count, changed


def _with_addresses(covered: str, pseudonyms: Pseudonyms) -> str:
    return TOKEN.sub(lambda token: pseudonyms.reveal(token.group()) if token[1] == "ip" else token.group(), covered)


def logs_in(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the log files below a folder. Raises CommandError when there are none."""
    files = sorted(folder.rglob("*.log")) if folder.is_dir() else []
    if not files:
        raise CommandError(f"--data {folder} holds no *.log file.")
    for file in files:
        yield file.name, file.read_text(encoding="utf-8", errors="replace").splitlines()


def summed(scores: Iterable[Score]) -> Score:
    """Return one score for several kinds."""
    scores = list(scores)
    return Score(sum(s.whole for s in scores), sum(s.gone for s in scores), sum(s.stopped for s in scores))


def interval(part: int, whole: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    if not whole:
        return 0.0, 1.0
    z, share = 1.96, part / whole
    d = 1 + z * z / whole
    middle, half = share + z * z / 2 / whole, z * sqrt(share * (1 - share) / whole + z * z / 4 / whole**2)
    return (middle - half) / d, (middle + half) / d


def _vain(name: str, lines: Iterable[str], options: dict[str, Any], write: Callable[[str], object]) -> None:
    count, changed = hidden_in_vain(lines)
    write(f"{name:41} {_counts(len(changed), count)}")
    for before, after in changed[:SHOWN] if options["misses"] else ():
        write(f"         {before!r} → {after!r}")


def _counts(part: int, whole: int) -> str:
    low, high = interval(part, whole)
    return f"{f'{part:,}/{whole:,}':>12} {part / whole if whole else 0:8.2%}  {low:7.2%} – {high:7.2%}"
