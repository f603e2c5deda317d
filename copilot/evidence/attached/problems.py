"""Log entries that speak of trouble, those that say the same counted together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from copilot.evidence.attached import words
from copilot.evidence.attached.entries import ERROR, WARN, Entry
from incidents.localization.log_templates import template_lines
from incidents.telemetry.datamodel import LogRecord

LEAST_WORDS_TO_MERGE = 8  # in a shorter text a single word may be all that matters
MOST_WORDS_COMPARED, MOST_VALUES = 6, 12
_UNKNOWN_RANK = 15  # trouble without a level: below an error, above a warning


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that say the same with other values, in the order of the files. `severity` is OTLP's, 0 where the lines name none."""

    severity: int
    entries: tuple[Entry, ...]

    @property
    def rank(self) -> int:
        """How bad it sounds: the severity, and something between warning and error where none is told."""
        return self.severity or _UNKNOWN_RANK


def problems_in(entries: Iterable[Entry]) -> list[Group]:
    """Return what is warned of and what fails, the worst and then the most frequent first. What two files tell alike counts once."""
    troubled = [entry for entry in entries if is_trouble(entry)]
    return sorted(grouped(troubled), key=lambda group: (-min(group.rank, ERROR), -len(group.entries)))


def is_trouble(entry: Entry) -> bool:
    """Return whether an entry warns or fails: by its level, and where it has none by its words."""
    return entry.severity >= WARN if entry.severity else bool(words.TROUBLE.search(entry.text))


def grouped(entries: Sequence[Entry]) -> list[Group]:
    """Return the entries by level and template, in order of their first. Long texts that differ in a single word are one group."""
    once = _told_once(entries)
    if not once:
        return []
    found = template_lines([LogRecord(0, "", entry.severity, entry.text, b"", 0, "{}") for entry in once])
    alike = _alike(found.texts)
    groups: dict[tuple[int, int], list[Entry]] = {}
    for entry, template in zip(once, found.template.tolist(), strict=True):
        groups.setdefault((entry.severity, alike[template]), []).append(entry)
    return [Group(severity, tuple(group)) for (severity, _), group in groups.items()]


def _told_once(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without what a second file tells again: the same text at the same time, for as often as the first has it."""
    times: Counter[tuple[str, object, str]] = Counter()
    found: dict[tuple[object, str, int], Entry] = {}
    for entry in entries:
        at = entry.at or (entry.file, entry.line)
        times[entry.file, at, entry.text] += 1
        found.setdefault((at, entry.text, times[entry.file, at, entry.text]), entry)
    return list(found.values())


def _alike(templates: Sequence[str]) -> list[int]:
    """Return for each template the number of the first one that differs from it in at most one word."""
    first: dict[tuple[str, ...], int] = {}
    found = []
    for number, template in enumerate(templates):
        words_of = template.split()
        if len(words_of) < LEAST_WORDS_TO_MERGE:
            found.append(number)
            continue
        shapes = [(*words_of[:place], "", *words_of[place + 1 :]) for place in range(len(words_of))]
        known = min((first[shape] for shape in shapes if shape in first), default=number)
        for shape in shapes:
            first.setdefault(shape, known)
        found.append(known)
    return found


def differing(group: Group) -> list[tuple[str, int]]:
    """Return the one word in which a merged group's texts differ, by its values with counts, the most frequent first; [] when it is
    not a word of a few values."""
    rows = [entry.text.split()[:MOST_WORDS_COMPARED] for entry in group.entries]
    for column in zip(*rows, strict=False):
        counts = Counter(column)
        if 2 <= len(counts) <= MOST_VALUES and not any(any(c.isdigit() for c in value) for value in counts):
            return counts.most_common()
    return []
