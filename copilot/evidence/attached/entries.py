"""Lines to log entries: when, how severe, what it says, in JSON, logfmt or plain text; a traceback belongs to the line it follows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from copilot.evidence.attached.files import AttachedFile

INFO, WARN, ERROR = 9, 13, 17  # OTLP's severity numbers
SHARE_WITH_TIMES = 0.3  # of the lines: from here on a line without a time continues the one before
MOST_CONTINUED = 60  # lines
NOTHING = ("", "stdout:", "stderr:")  # the latter two head the output of a command, as some tools write it down
_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[T _](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9}))?\s?(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_TIME_WITHIN = 60  # characters of a line's start
_LEVEL_WITHIN = 90
_LEVELS = {
    "TRACE": 1, "DEBUG": 5, "INFO": INFO, "NOTICE": 10, "WARN": WARN, "WARNING": WARN, "ERROR": ERROR, "ERR": ERROR, "SEVERE": ERROR,
    "CRITICAL": 21, "FATAL": 21, "PANIC": 21, "EMERGENCY": 21, "ALERT": 21,
}  # fmt: skip
_LEVEL = re.compile(r"(?<![\w.-])(" + "|".join(_LEVELS) + r")(?![\w.-])")
_SMALL_LEVEL = re.compile(r"(?:\blevel=|\[)\"?(" + "|".join(_LEVELS) + r")\b", re.IGNORECASE)
_LEVEL_BEFORE = re.compile(r"^[\s\[(<|-]*(?:" + "|".join(_LEVELS) + r")(?![\w.])[\s\])>|:-]*", re.IGNORECASE)
_KLOG = re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d")
_KLOG_LEVELS = {"I": INFO, "W": WARN, "E": ERROR, "F": 21}
_TEXT_KEYS = ("message", "msg", "log", "text", "event", "body")
_TIME_KEYS = ("timestamp", "time", "@timestamp", "ts", "datetime", "date")
_LEVEL_KEYS = ("level", "severity", "lvl", "loglevel", "levelname", "log.level")
_LAST_OF_TRACEBACK = re.compile(r"^\s*[\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b.*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry. `line` and `last` count from 1; `severity` is OTLP's (0 unknown); `fields` are a JSON line's numbers."""

    file: str
    line: int
    last: int
    at: datetime | None
    severity: int
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def entries_of(file: AttachedFile) -> list[Entry]:
    """Return the file's entries in order, without empty lines. Times without a zone are taken for UTC."""
    has_times = _has_times(file.lines)
    found = []
    for line, last, texts in _grouped(file.lines, has_times=has_times):
        found.append(_entry(file.name, line, last, texts))
    return found


def _has_times(lines: Sequence[str]) -> bool:
    sample = [line for line in lines[:2000] if line.strip()]
    with_time = sum(bool(_TIME.search(line[:_TIME_WITHIN])) for line in sample)
    return with_time >= max(1, SHARE_WITH_TIMES * len(sample))


def _grouped(lines: Sequence[str], *, has_times: bool) -> Iterator[tuple[int, int, list[str]]]:
    """Yield (first line, last line, texts) of each entry."""
    open_texts: list[str] = []
    first = last = 0
    in_traceback = False
    for number, line in enumerate(lines, start=1):
        if line.strip() in NOTHING:
            continue
        if open_texts and len(open_texts) < MOST_CONTINUED:
            continues = in_traceback or line[:1] in " \t}" or line.startswith(("Traceback", "Caused by"))
            if has_times:
                continues = (continues or not line.startswith(("{", "["))) and not _TIME.search(line[:_TIME_WITHIN])
            elif not in_traceback:
                continues = line.startswith(("Traceback", "Caused by"))
            if continues:
                open_texts.append(line)
                last = number
                in_traceback = (in_traceback or line.lstrip().startswith("Traceback")) and not _ends_traceback(line)
                continue
        if open_texts:
            yield first, last, open_texts
        open_texts, first, last = [line], number, number
        in_traceback = line.lstrip().startswith("Traceback")
    if open_texts:
        yield first, last, open_texts


def _ends_traceback(line: str) -> bool:
    return not line[:1].isspace() and not line.startswith("Traceback") and bool(_LAST_OF_TRACEBACK.match(line))


def _entry(file: str, line: int, last: int, texts: Sequence[str]) -> Entry:
    head = texts[0]
    if head.startswith("{") and (record := _json(head)) is not None:
        return _from_json(file, line, last, record)
    moment = _TIME.search(head[:_TIME_WITHIN])
    before, after = (
        (head[: moment.start()].rstrip("[( "), head[moment.end() :].lstrip("])| ")) if moment else ("", head)
    )
    text = _LEVEL_BEFORE.sub("", f"{before} {after}".strip(), count=1) or head.strip()
    cause = next((each.strip() for each in reversed(texts[1:]) if _LAST_OF_TRACEBACK.match(each)), "")
    if cause and cause not in text:
        text = f"{text} ({cause})"
    return Entry(file, line, last, _moment(moment) if moment else None, _severity(head), text)


def _json(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _from_json(file: str, line: int, last: int, record: dict[str, Any]) -> Entry:
    at = next((told_time(record[key]) for key in _TIME_KEYS if key in record), None)
    level = next((str(record[key]) for key in _LEVEL_KEYS if key in record), "")
    said = next((str(record[key]) for key in _TEXT_KEYS if record.get(key)), "")
    known = {*_TIME_KEYS, *_LEVEL_KEYS, *_TEXT_KEYS}
    more = [
        f"{key}: {value}"
        for key, value in record.items()
        if key not in known and isinstance(value, str) and " " in value
    ]
    fields = {key: value for key, value in record.items() if key not in known and isinstance(value, int | float)}
    return Entry(file, line, last, at, _LEVELS.get(level.upper(), 0), "; ".join((said, *more)).strip("; "), fields)


def _severity(line: str) -> int:
    if klog := _KLOG.match(line):
        return _KLOG_LEVELS[klog[1]]
    found = _LEVEL.search(line[:_LEVEL_WITHIN]) or _SMALL_LEVEL.search(line[:_LEVEL_WITHIN])
    return _LEVELS[found[1].upper()] if found else 0


def told_time(value: Any) -> datetime | None:
    """Return a time from its ISO 8601 text or from seconds or milliseconds since 1970, in UTC; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        seconds = value / 1000 if value > 1e11 else value
        return datetime.fromtimestamp(seconds, tz=UTC) if 0 < seconds < 4e9 else None
    moment = _TIME.search(str(value)[:_TIME_WITHIN])
    return _moment(moment) if moment else None


def _moment(found: re.Match[str]) -> datetime | None:
    zone = {None: "+00:00", "Z": "+00:00"}.get(found["zone"], found["zone"])
    part = f".{(found['part'] + '000000')[:6]}" if found["part"] else ""
    try:
        return datetime.fromisoformat(f"{found['day']}T{found['time']}{part}{zone}").astimezone(UTC)
    except ValueError:  # 2025-13-01, 25:61: digits that only look like a time
        return None
