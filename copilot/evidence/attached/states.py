"""Stated values that mean trouble, in JSON, YAML, configuration and `kubectl describe`: a reason, a false "ready", a true "alarm"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot.evidence.attached import words
from copilot.evidence.attached.entries import NOTHING
from copilot.evidence.attached.files import AttachedFile

MOST_LINES = 20_000  # longer files are logs
MOST_VALUE = 160  # characters: longer values are prose
_OPENINGS = ("", "{", "[")
MERGED_WITHIN = 3  # lines
LEAST_PAIRS = 0.5  # of the lines
_LOG_TIME = re.compile(r"[\[(]?\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_PAIR = re.compile(
    r"^(?P<indent>\s*)(?P<item>- )?\"?(?P<key>[A-Za-z_][\w ./@-]{0,60}?)\"?\s*[:=](?:\s+(?P<value>.*?)|(?P<tight>[^\s].*?)?),?\s*$"
)
_CONDITION = re.compile(r"^\s{2,}(?P<key>[A-Z]\w+)\s+(?P<value>True|False|Unknown)\s*$")
_WARNING_EVENT = re.compile(r"^\s{0,8}Warning\s{2,}(?P<reason>\S+)\s+(?P<age>.*?)\s{2,}\S+\s{2,}(?P<text>.+)$")
_NAMES = ("name", "node", "id", "pod", "container", "host", "instance", "cluster_id", "cluster", "service")
_STATE_KEY = re.compile(r"reason|state|status|phase|condition|health|result|message", re.IGNORECASE)
_GOOD_STATE = re.compile(
    r"^(?:ok|running|success\w*|completed|succeeded|active|healthy|normal|ready|true|none|null|\[\]|\{\}|)$",
    re.IGNORECASE,
)
# Conditions of which "False" is the good value.
_PRESSURE = re.compile(r"pressure|unavailable|problem|deadlock", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class State:
    """A value that means trouble, where it stands, and of what. `weight` is 3 for what names a cause, 1 for what only follows from one."""

    file: str
    line: int
    last: int
    subject: str
    text: str
    weight: int


def is_document(file: AttachedFile) -> bool:
    """Return whether the file is configuration, a description or a JSON document rather than a log: most lines are a key with a value."""
    written = [
        line for line in file.lines[:2000] if len(line.strip().strip("{}[],")) > 0 and line.strip() not in NOTHING
    ]
    if (
        not written
        or len(file.lines) > MOST_LINES
        or any(line.startswith("{") and line.rstrip().endswith("}") for line in written[:5])
    ):
        return False
    pairs = sum(bool(_PAIR.match(line) or _CONDITION.match(line)) and not _LOG_TIME.match(line) for line in written)
    return pairs >= LEAST_PAIRS * len(written)


def states_of(file: AttachedFile) -> list[State]:
    """Return the file's telling values, those that stand together as one, in order; [] for a file that is a long log."""
    if len(file.lines) > MOST_LINES:
        return []
    return _merged(list(_found(file)))


def _found(file: AttachedFile) -> Iterator[State]:
    around = _Blocks()
    for number, line in enumerate(file.lines, start=1):
        if event := _WARNING_EVENT.match(line):
            yield State(file.name, number, number, "", f"Warning {event['reason']}: {event['text'].strip()}", 2)
        elif condition := _CONDITION.match(line):
            if told := _condition(condition["key"], condition["value"]):
                yield State(file.name, number, number, around.subject(), told, 1)
        elif pair := _PAIR.match(line):
            key, value = around.enter(pair)
            following = file.lines[number].strip() if number < len(file.lines) else ""
            if found := _listed(key, value, following) if value in _OPENINGS else _judged(key, value):
                yield State(file.name, number, number, around.subject(), *found)
        elif line.strip() in ("{", "[", "},", "}", "],", "]"):
            around.leave(_indent(line))


class _Blocks:
    """The blocks around a line, by their indent, and what each calls itself."""

    def __init__(self) -> None:
        self._keys: list[tuple[int, str]] = []
        self._names: dict[int, str] = {}

    def enter(self, pair: re.Match[str]) -> tuple[str, str]:
        """Take a line with a key and return the key and its value, "" when a block begins."""
        indent = len(pair["indent"]) + (2 if pair["item"] else 0)
        self._keys = [(depth, key) for depth, key in self._keys if depth < indent]
        self.leave(indent)
        key, value = pair["key"].strip(), (pair["value"] or pair["tight"] or "").strip().strip('"')
        if value in _OPENINGS:
            self._keys.append((indent, key))
        elif key.lower() in _NAMES:
            self._names[indent] = value
        return key, value

    def leave(self, indent: int) -> None:
        """Forget what deeper blocks were called."""
        self._names = {depth: said for depth, said in self._names.items() if depth <= indent}

    def subject(self) -> str:
        """Return what a value is about: its block's own name, else the keys around it."""
        if self._names and (deepest := max(self._names)) > 0:
            return self._names[deepest]
        return " / ".join(key for _, key in self._keys[-2:])


def _listed(key: str, value: str, following: str) -> tuple[str, int] | None:
    """Return what a list says whose key means trouble and which is not empty."""
    first = following.strip('",')
    if value != "[" or not words.BAD_KEY.search(key) or first in ("", "{", "[", "]"):
        return None
    return f"{key} holds {first}", 3


def _judged(key: str, value: str) -> tuple[str, int] | None:
    """Return what a pair says and how much it tells; None for what is well."""
    if len(value) > MOST_VALUE or (value.startswith(("{", "[")) and len(value) > 2):
        return None
    low = value.lower()
    if low == "false":
        return (f"{key} is false", 2) if words.GOOD_KEY.search(key) and not words.BAD_KEY.search(key) else None
    if low == "true":
        return (f"{key} is true", 3) if words.BAD_KEY.search(key) else None
    if re.fullmatch(r"exit[ _-]?code", key, re.IGNORECASE) and value.isdigit() and value != "0":
        meaning = words.EXIT_CODES.get(value)
        return f"{key} {value}" + (f" ({meaning})" if meaning else ""), 2
    if re.fullmatch(r"restart[ _-]?counts?|restarts", key, re.IGNORECASE) and value.isdigit() and value != "0":
        return f"{key} {value}", 1
    if _STATE_KEY.search(key) and not _GOOD_STATE.match(value) and words.TROUBLE.search(value):
        meaning = words.MEANINGS.get(value)
        return f"{key} {value}" + (f" ({meaning})" if meaning else ""), 3
    if (
        words.BAD_KEY.search(key)
        and not set("/.") & set(key)
        and not re.fullmatch(r"[\d.]+|null|none|\[\]|\{\}|false|<none>|<nil>|", low)
    ):
        return f"{key}: {value}", 2
    return None


def _condition(key: str, value: str) -> str:
    bad = value == "True" if _PRESSURE.search(key) else value != "True"
    return f"{key} is {value}" if bad else ""


def _merged(states: list[State]) -> list[State]:
    """Return one state for those of the same subject, or of neighbouring lines, in a row."""
    found: list[State] = []
    for state in states:
        last = found[-1] if found else None
        if last and state.line - last.last <= MERGED_WITHIN and (state.subject == last.subject or not state.subject):
            if state.text not in last.text:
                text = f"{last.text}, {state.text}"
                found[-1] = State(last.file, last.line, state.last, last.subject, text, max(last.weight, state.weight))
            continue
        found.append(state)
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
