"""Log lines to templates: which lines say the same thing with other values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from drain3.drain import Drain
from numpy.typing import NDArray

from incidents.telemetry.datamodel import LogRecord

# What a line says stands at its start; long dumps of values only cost time and split templates by their length.
MAX_CHARACTERS, MAX_TOKENS = 400, 24
MAX_TEMPLATES = 2_000  # per service; the least recently used one makes room
MAX_WORDS = 100_000  # remembered; more are masked anew each time
SIMILARITY = 0.4  # the published default
TREE_DEPTH = 5  # the number of words and the first two of them lead to the candidates

# Tried only on words that hold a digit.
_VALUE = re.compile(
    r"""
      \d{4}-\d\d-\d\d(?:[T_]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?       # dates
    | \b\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?\b                                                # times of day
    | \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b                              # UUIDs
    | \b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b                         # hexadecimal ids
    | \b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b                                                 # addresses
    | (?<![\w\#])[-+]?\d+(?:[.,]\d+)*(?:(?:[kKMGT]i?)?B|ms|us|ns|s|m|h|%)?(?!\w)           # numbers, with a unit
    """,
    re.VERBOSE,
)
_DIGIT = re.compile(r"\d")
_LEVELS = frozenset(
    {"TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "SEVERE", "CRITICAL", "FATAL", "PANIC"}
)
LEVEL_WITHIN = 8  # words: a level stands at the start of a line, later it is only a word
# Class#34, file.py:120: the place in the code that wrote the line, which is not a value although it ends in a number.
_PLACE = re.compile(r"[\[(]?([A-Za-z_][\w.$\[\]/-]*[#:]\d+)[\])]?:?")
_FAILURE = re.compile(
    r"exception|traceback|error|fail(?:ed|ure)|fatal|panic|time[d -]?out|refused|unavailable|denied|exhausted|out of memory|deadlock|abort",
    re.IGNORECASE,
)
_BAD_LEVELS = frozenset({"ERROR", "SEVERE", "CRITICAL", "FATAL", "PANIC"})
_ERROR_SEVERITY = 17


@dataclass(frozen=True)
class TemplatedLines:
    """Lines with their templates, shape (n,): `template` indexes into `texts`, `owners` (service) and `alarming` (speaks of a failure)."""

    template: NDArray[np.int64]
    texts: Sequence[str]
    owners: Sequence[str]
    alarming: Sequence[bool]


@dataclass
class _Words:
    """Words that hold a digit, each masked once: the same ids and numbers come again and again."""

    known: dict[str, str] = field(default_factory=dict)

    def mask(self, word: str) -> str:
        masked = self.known.get(word)
        if masked is None:
            masked = word if _PLACE.fullmatch(word) else _VALUE.sub("<*>", word)
            if len(self.known) < MAX_WORDS:
                self.known[word] = masked
        return masked


@dataclass
class _Origin:
    """The templates of one origin: a service, a level and a place in the code. Lines of different origin never share a template."""

    tree: Drain = field(
        default_factory=lambda: Drain(
            depth=TREE_DEPTH, sim_th=SIMILARITY, max_clusters=MAX_TEMPLATES, parametrize_numeric_tokens=False
        )
    )
    known: dict[str, int] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)


def template_lines(lines: Sequence[LogRecord]) -> TemplatedLines:
    """Return the template of each line, found for each service apart, in the order given.

    A line is cut, its values are masked, and its level and place in the code are kept apart. Source: He et al. 2017 (Drain).
    """
    origins: dict[tuple[str, str], _Origin] = {}
    words = _Words()
    texts: list[str] = []
    owners: list[str] = []
    bad: list[bool] = []
    template = np.empty(len(lines), dtype=np.int64)
    for place, line in enumerate(lines):
        head, masked = split_line(line.body, words)
        origin = origins.setdefault((line.service, head), _Origin())
        cluster = origin.known.get(masked)
        if cluster is None:
            found, _ = origin.tree.add_log_message(masked)
            cluster = origin.known[masked] = found.cluster_id
            number = origin.numbers.setdefault(cluster, len(texts))
            if number == len(texts):
                texts.append("")
                owners.append(line.service)
                bad.append(is_alarming(line))
            texts[number] = f"{head} {found.get_template()}".strip()
        template[place] = origin.numbers[cluster]
    return TemplatedLines(template, texts, owners, bad)


def split_line(body: str, words: _Words) -> tuple[str, str]:
    """Return a line's head (level and place in the code, as far as it tells) and the rest, cut to size, its values replaced by <*>."""
    level = place = ""
    tokens: list[str] = []
    for number, word in enumerate(body[:MAX_CHARACTERS].split()[:MAX_TOKENS]):
        if not _DIGIT.search(word):
            if not level and number < LEVEL_WITHIN and word.strip("[]()|:,-").upper() in _LEVELS:
                level = word.strip("[]()|:,-").upper()
            else:
                tokens.append(word)
            continue
        masked = words.mask(word)
        if not place and masked == word and _PLACE.fullmatch(word):
            place = word.strip("[]():")
        elif tokens or masked != "<*>":
            tokens.append(masked)
    return f"{level} {place}".strip(), " ".join(tokens)


def is_alarming(line: LogRecord) -> bool:
    """Return whether a line speaks of a failure: by its severity, by the level it prints, or by its words."""
    if line.severity:
        return line.severity >= _ERROR_SEVERITY
    first = [word.strip("[]()|:,-").upper() for word in line.body[:MAX_CHARACTERS].split()[:LEVEL_WITHIN]]
    level = next((word for word in first if word in _LEVELS), None)
    return level in _BAD_LEVELS if level else bool(_FAILURE.search(line.body[:MAX_CHARACTERS]))
