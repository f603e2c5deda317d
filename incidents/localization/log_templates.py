"""Log records to templates: which lines of a service say the same thing with other values, and which speak of a failure."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.localization.log_mining import MAX_CHARACTERS, memory, mine
from incidents.localization.log_origins import level_of
from incidents.telemetry.datamodel import LogRecord

LEVEL_WITHIN = 8  # words: a level stands at the start of a line, later it is only a word
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


def template_lines(lines: Sequence[LogRecord]) -> TemplatedLines:
    """Return the template of each line, found for each service apart, in the order given.

    Lines of different level or place in the code never share a template.
    """
    by_service: dict[str, list[int]] = defaultdict(list)
    for place, line in enumerate(lines):
        by_service[line.service].append(place)
    words = memory()
    template = np.empty(len(lines), dtype=np.int64)
    texts: list[str] = []
    owners: list[str] = []
    bad: list[bool] = []
    for service, places in by_service.items():
        found = mine([lines[place].body for place in places], apart=True, words=words)
        template[places] = found.template + len(texts)
        _, first = np.unique(found.template, return_index=True)
        bad += [is_alarming(lines[places[one]]) for one in first.tolist()]
        texts += found.texts
        owners += [service] * len(found.texts)
    return TemplatedLines(template, texts, owners, bad)


def is_alarming(line: LogRecord) -> bool:
    """Return whether a line speaks of a failure: by its severity, by the level it prints, or by its words."""
    if line.severity:
        return line.severity >= _ERROR_SEVERITY
    start = line.body[:MAX_CHARACTERS]
    level = next(filter(None, map(level_of, start.split(None, LEVEL_WITHIN)[:LEVEL_WITHIN])), "")
    return level in _BAD_LEVELS if level else bool(_FAILURE.search(start))
