"""Attached files and a question to evidence: what fails, what is in a bad state, what moved, and what was asked for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from copilot.evidence import hiding
from copilot.evidence.attached import matching, measures, problems, tables, trace_export
from copilot.evidence.attached.entries import NOTHING, WARN, Entry, entries_of
from copilot.evidence.attached.files import AttachedFile, free_name
from copilot.evidence.attached.measures import Movement
from copilot.evidence.attached.problems import Group
from copilot.evidence.attached.states import State, is_document, states_of
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind, Role
from copilot.evidence.numbering import numbered
from copilot.evidence.traces import waterfall
from copilot.evidence.wording import clock, joined, quantity
from copilot.privacy.pseudonyms import Pseudonyms
from incidents.telemetry.datamodel import Span, from_ns

MOST_PROBLEMS, MOST_STATES, MOST_MOVEMENTS, MOST_MATCHES = 8, 6, 3, 4
MOST_ATTACHED = 40  # items beside an incident's own
FEW_ENTRIES = 5  # a file as short as this is told whole
MOST_QUOTED = 240  # characters
MOST_SHOWN = 20  # lines of an item
MOST_CONTINUED = 12  # of an entry of several
MOST_VARIANTS = 6
STEADY = 0.9  # rank correlation; of one jump halfway it is 0.87
_DURATION = re.compile(r"latency|duration|response_?time|elapsed|took|_(?:ms|us|ns|seconds|millis)$", re.IGNORECASE)
_FAILS, _MOVES, _WARNS, _FOLLOWS = 0, 2, 3, 4  # what tells most comes first
_STATES = {3: 1, 2: 3}
_SEVERITIES = ((21, "FATAL"), (17, "ERROR"), (13, "WARN"), (9, "INFO"), (1, "DEBUG"))


@dataclass(frozen=True)
class Digest:
    """What the files say, whatever the question: read once, asked often. `notes` are sentences on what could not be read."""

    files: tuple[AttachedFile, ...]
    entries: tuple[Entry, ...]
    groups: tuple[Group, ...]
    states: tuple[State, ...]
    movements: tuple[Movement, ...]
    traces: tuple[tuple[AttachedFile, tuple[Span, ...]], ...]
    notes: tuple[str, ...]


def digest(files: Sequence[AttachedFile]) -> Digest:
    """Read what the files say. A file with the same lines as another one is read once."""
    notes, entries, states, traces = [], [], [], []
    files = _named_apart(files)
    different: dict[tuple[str, ...], AttachedFile] = {}
    for file in files:
        if file.cut:
            notes.append(f"{file.cut[0].upper()}{file.cut[1:]}.")
        if all(line.strip() in NOTHING for line in file.lines):
            notes.append(f"{file.name} is empty.")
            continue
        twin = different.setdefault(file.lines, file)
        if twin is not file:
            notes.append(f"{file.name} says the same as {twin.name}.")
            continue
        if spans := trace_export.spans_in(file.lines):
            traces.append((file, tuple(spans)))
        elif is_document(file):
            states += states_of(file)
        else:
            entries += tables.rows_of(file) or entries_of(file)
    return Digest(
        tuple(files),
        tuple(entries),
        tuple(problems.problems_in(entries)),
        tuple(sorted(states, key=lambda state: -state.weight)),
        tuple(measures.movements_in(entries)),
        tuple(traces),
        tuple(notes),
    )


def _named_apart(files: Sequence[AttachedFile]) -> list[AttachedFile]:
    """Return the files with a name of its own each; those of two folders are often called the same."""
    found: dict[str, AttachedFile] = {}
    for file in files:
        name = free_name(file.name, found)
        found[name] = replace(file, name=name)
    return list(found.values())


def gather(
    read: Digest, question: str, *, now: datetime, pseudonyms: Pseudonyms, former: EvidenceBundle | None = None
) -> EvidenceBundle:
    """Return the bundle that answers a question from attached files alone; the items that were asked for stand first."""
    items, earlier = numbered(_hidden(drafts(read, question, now=now), pseudonyms), former=former)
    times = [moment for item in items for moment in (item.start, item.end)] or [now]
    return EvidenceBundle(
        gathered_at=now,
        incident_start=min(times),
        incident_end=max(times),
        services=(),
        items=items,
        hypotheses=(),
        gaps=read.notes,
        next_check="",
        earlier=earlier,
    )


def beside(
    bundle: EvidenceBundle, read: Digest, question: str, *, now: datetime, pseudonyms: Pseudonyms
) -> EvidenceBundle:
    """Return an incident's bundle with what the attached files add to it, what the question asks for before the rest."""
    found, _ = numbered(_hidden(drafts(read, question, now=now), pseudonyms), former=bundle)
    ids = {item.id for item in found}
    own = tuple(item for item in bundle.items if item.kind is not Kind.ATTACHED)
    attached = (*found, *(item for item in bundle.items if item.kind is Kind.ATTACHED and item.id not in ids))
    return replace(
        bundle,
        items=(*own, *attached[:MOST_ATTACHED]),
        gaps=tuple(dict.fromkeys((*bundle.gaps, *read.notes))),
        earlier=(*(item for item in bundle.earlier if item.id not in ids), *attached[MOST_ATTACHED:]),
    )


def _hidden(found: Iterable[Evidence], pseudonyms: Pseudonyms) -> list[Evidence]:
    return [hiding.item(each, pseudonyms) for each in found]


def drafts(read: Digest, question: str, *, now: datetime) -> list[Evidence]:
    """Return the evidence without ids: what was asked for, then what tells most of what fails, is in a bad state or moved."""
    named = {file.name: file for file in read.files}
    asked = _asked(read, question)
    told = {id(entry) for group in asked for entry in group.entries[:1]}
    rest = [group for group in read.groups if id(group.entries[0]) not in told][:MOST_PROBLEMS]
    ranked = [
        *((_FAILS if group.rank > WARN else _WARNS, of_group(group, named, now=now)) for group in rest),
        *(
            (_STATES.get(state.weight, _FOLLOWS), _of_state(state, now=now, files=named))
            for state in read.states[:MOST_STATES]
        ),
        *((_MOVES, _of_movement(each, named, now=now)) for each in read.movements[:MOST_MOVEMENTS]),
    ]
    found = [_of_trace(file, spans) for file, spans in read.traces]
    found += [of_group(group, named, now=now, asked=True) for group in asked]
    found += [item for _, item in sorted(ranked, key=lambda pair: pair[0])]
    if not found:
        found = [of_group(group, named, now=now) for group in _short(read)]
    return list({(item.statement, item.query): item for item in found}.values())


def _asked(read: Digest, question: str) -> list[Group]:
    groups = problems.grouped(matching.matching(question, read.entries))
    return sorted(groups, key=lambda group: (not _varies(group), -group.rank, -len(group.entries)))[:MOST_MATCHES]


def _varies(group: Group) -> bool:
    return measures.range_in(group.entries) is not None


def _short(read: Digest) -> Iterable[Group]:
    for name in dict.fromkeys(entry.file for entry in read.entries):
        own = [entry for entry in read.entries if entry.file == name]
        if len(own) <= FEW_ENTRIES:
            yield from problems.grouped(own)


def of_group(group: Group, files: dict[str, AttachedFile], *, now: datetime, asked: bool = False) -> Evidence:
    """Return the item that shows entries which say the same; `asked` adds the range of the number in which they differ."""
    first, last, count = group.entries[0], group.entries[-1], len(group.entries)
    level = next((name for least, name in _SEVERITIES if group.severity >= least), "A line" if count == 1 else "Lines")
    times = f" {count:,} times" if count > 1 else ""
    text = first.text if len(first.text) <= MOST_QUOTED else f"{first.text[:MOST_QUOTED].rpartition(' ')[0]} …"
    quoted = " ".join(text.split()).replace("“", "").replace("”", "")
    details = _range(group) if asked else ""
    statement = f"{level}{times}{_when(first, last)}{details}: “{quoted}”{_variants(group)}."
    shown = [entry for entry in (*group.entries[: MOST_SHOWN - 1], last) if entry.file == first.file]
    numbers = {
        number for entry in shown for number in range(entry.line, min(entry.last, entry.line + MOST_CONTINUED) + 1)
    }
    item = _item(
        f"{level}{f' ×{count:,}' if count > 1 else ''} in {_file_names(group.entries)}",
        statement,
        first.file,
        sorted(numbers)[:MOST_SHOWN],
        files,
        times=(first.at or now, max(first.at or now, last.at or now)),
    )
    return replace(item, statistic={"lines": {"value": count, "unit": ""}})


def _range(group: Group) -> str:
    """Return the range of the number that varies in the lines; "" when none does."""
    spread = measures.range_in(group.entries) if len(group.entries) > 1 else None
    if spread is None:
        return ""
    return f", from {spread.least:g} to {spread.most:g} {spread.unit}, median {spread.median:g} {spread.unit}"


def _variants(group: Group) -> str:
    """Return the values of the word in which the lines differ, with how often each came; "" when it is no word of few values."""
    values = problems.differing(group)
    shown = joined([f"{value} {count:,}" for value, count in values[:MOST_VARIANTS]])
    more = f" and {len(values) - MOST_VARIANTS} more" if len(values) > MOST_VARIANTS else ""
    return f" ({shown}{more})" if shown else ""


def _of_state(state: State, *, files: dict[str, AttachedFile], now: datetime) -> Evidence:
    about = f"{state.subject}: " if state.subject else ""
    statement = f"{state.file} states {about}{state.text}."
    lines = list(range(state.line, min(state.last, state.line + MOST_SHOWN - 1) + 1))
    return _item(f"State in {state.file}", statement, state.file, lines, files, times=(now, now))


def _of_movement(moved: Movement, files: dict[str, AttachedFile], *, now: datetime) -> Evidence:
    way = "rose" if moved.after > moved.before else "dropped"
    if abs(moved.order) >= STEADY:
        way = "grew steadily" if moved.after > moved.before else "declined steadily"
    at = f"; it was halfway at {clock(moved.halfway.at)}" if moved.halfway.at else ""
    if _DURATION.search(moved.name):
        at += f"; it became {'slower' if moved.after > moved.before else 'faster'}"
    statement = (
        f"{moved.name} {way} from {moved.before:,.6g} to {moved.after:,.6g} between the first and the last tenth of {moved.values:,} lines"
        f"{_when(moved.first, moved.last)}{at}."
    )
    lines = [moved.first.line, moved.halfway.line, moved.last.line]
    item = _item(
        f"{moved.name} {way}",
        statement,
        moved.file,
        sorted(set(lines)),
        files,
        times=(moved.first.at or now, moved.last.at or now),
    )
    statistic = {"before": {"value": moved.before, "unit": ""}, "after": {"value": moved.after, "unit": ""}}
    return replace(item, statistic=statistic, detail={**item.detail, **_chart(moved)})


def _chart(moved: Movement) -> dict[str, Any]:
    """Return a field's values over time for a chart; {} when its entries have no times, or not in order."""
    times = [entry.at.timestamp() for entry, _ in moved.samples if entry.at is not None]
    if len(times) < len(moved.samples) or times != sorted(set(times)):
        return {}
    values = [value for _, value in moved.samples]
    return {"times": times, "values": values, "unit": "", "label": moved.name, "low": None, "high": None}


def _of_trace(file: AttachedFile, spans: Sequence[Span]) -> Evidence:
    """Return what a trace export shows: how much is in it, and its slowest trace as a waterfall, cited at the span that takes the time."""
    trace = trace_export.slowest_trace(spans)
    shown = waterfall(trace)
    hot = next(row for row in shown if row["hot"])
    total = trace_export.length_ns(trace) / 1e9
    failed = sum(span.is_error for span in spans)
    share = round(hot["self_ms"] / 1000 / total, 2) if total else 0.0
    traces = len({span.trace_id for span in spans})
    statement = (
        f"{file.name} holds {traces:,} trace{'s' * (traces != 1)} with {len(spans):,} span{'s' * (len(spans) != 1)}, {failed:,} failed. "
        f"The slowest{' that failed' if failed else ''} took {quantity(total, 's')}, {quantity(share, '1')} of it in {hot['service']} {hot['operation']}."
    )
    lines = [number for number, line in enumerate(file.lines, start=1) if hot["id"] in line][:1] or [1]
    times = (from_ns(min(span.start_ns for span in trace)), from_ns(max(s.start_ns + s.duration_ns for s in trace)))
    item = _item(f"Slowest trace in {file.name}", statement, file.name, lines, {file.name: file}, times=times)
    detail = {"trace_id": trace[0].trace_id.hex(), "spans": shown, "span_count": len(trace)}
    return replace(item, detail={**item.detail, **detail}, statistic={"length": {"value": total, "unit": "s"}})


def _item(
    title: str,
    statement: str,
    file: str,
    numbers: list[int],
    files: dict[str, AttachedFile],
    *,
    times: tuple[datetime, datetime],
) -> Evidence:
    lines = [{"number": number, "text": files[file].lines[number - 1]} for number in numbers]
    where = f"{file}:{numbers[0]}" + (f"–{numbers[-1]}" if numbers[-1] != numbers[0] else "")
    return Evidence(
        id="",
        kind=Kind.ATTACHED,
        role=Role.SYMPTOM,
        service="",
        title=title,
        statement=statement,
        start=times[0],
        end=max(times),
        excerpt=tuple(str(line["text"])[:300] for line in lines[:3]),
        query=where,
        backend="attached file",
        detail={"file": file, "lines": lines},
    )


def of_lines(
    title: str, statement: str, numbers: Sequence[int], file: AttachedFile, *, times: tuple[datetime, datetime]
) -> Evidence:
    """Return the item that shows lines of a file by their numbers."""
    return _item(title, statement, file.name, list(numbers), {file.name: file}, times=times)


def _when(first: Entry, last: Entry) -> str:
    """Return " from … to …", or " at …" for one moment; "" when the lines have no times."""
    if first.at is None or last.at is None:
        return ""
    begin, end = sorted((first.at, last.at))
    if begin == end:
        return f" at {begin:%Y-%m-%d %H:%M:%S}"
    until = clock(end) if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    return f" from {begin:%Y-%m-%d %H:%M:%S} to {until}"


def _file_names(entries: Sequence[Entry]) -> str:
    return joined(list(dict.fromkeys(entry.file for entry in entries))[:3])
