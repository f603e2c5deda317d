"""Tools on attached files: entries that hold some words, and lines as they stand."""

from copilot.answers.investigation.arguments import ReadFile, SearchFiles
from copilot.answers.investigation.found import Found, NothingThere, Sources
from copilot.answers.investigation.scope import Scope
from copilot.evidence.attached import gather, matching
from copilot.evidence.attached.entries import Entry, entries_of
from copilot.evidence.attached.files import AttachedFile
from copilot.evidence.attached.problems import grouped
from copilot.evidence.wording import joined

MOST_GROUPS = 4


def search_files(asked: SearchFiles, _scope: Scope, sources: Sources) -> Found:
    """Return the entries of attached files that hold the words as they stand; without any, those that share the rarer of them."""
    files = {file.name: file for file in sources.files if asked.file in (None, file.name)}
    if not files:
        raise NothingThere("No file is attached to this incident.")
    entries = [entry for file in files.values() for entry in entries_of(file)]
    literal = asked.words.casefold()
    found = [entry for entry in entries if literal in entry.text.casefold()]
    note = f"{len(found):,} of {len(entries):,} entries hold “{asked.words}”."
    if not found:
        found = matching.matching(asked.words, entries)
        note = f"No entry holds “{asked.words}” as it stands; these share its rarer words."
    if not found:
        raise NothingThere(f"None of the {len(entries):,} entries in {joined(list(files)[:5])} holds these words.")
    items = tuple(gather.of_group(group, files, now=sources.now, asked=True) for group in grouped(found)[:MOST_GROUPS])
    return Found(items, tuple(map(_row, found)), note)


def read_file(asked: ReadFile, _scope: Scope, sources: Sources) -> Found:
    """Return lines of an attached file as they stand."""
    file = next(file for file in sources.files if file.name == asked.file)
    if asked.first_line > len(file.lines):
        raise NothingThere(f"{file.name} has only {len(file.lines):,} lines.")
    last = min(asked.first_line + asked.count - 1, len(file.lines))
    numbers = list(range(asked.first_line, last + 1))
    shown = " / ".join(" ".join(file.lines[number - 1].split())[:120] for number in numbers[:3])
    statement = f"{file.name} lines {asked.first_line:,} to {last:,} of {len(file.lines):,} begin “{shown}”."
    item = gather.of_lines(f"Lines of {file.name}", statement, numbers, file, times=(sources.now, sources.now))
    return Found((item,), tuple(_numbered(file, number) for number in numbers))


def _row(entry: Entry) -> str:
    return f"{entry.file}:{entry.line} {entry.text[:1000]}"


def _numbered(file: AttachedFile, number: int) -> str:
    return f"{number} {file.lines[number - 1][:1000]}"
