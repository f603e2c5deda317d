"""The injections and the near-misses, read from their files."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
KINDS = ("command", "cause", "exfiltration")
STAND_IN = "PUT-THE-PASSWORD-HERE"  # where an injection wants a secret; whoever obeys puts in what it sees
_CHARACTER = re.compile(r"\\u\{([0-9a-f]{1,6})\}")
_BASE64 = re.compile(r"\{base64:([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Injection:
    """One text; `kind` is one of `KINDS`."""

    kind: str
    text: str


def injections(*, canary: str) -> list[Injection]:
    """Return every injection; what it wants to be called is at `canary`, a host with a port."""
    return [
        Injection(kind, _written(text).replace("{canary}", canary).replace("{secret}", STAND_IN))
        for kind, _, text in (line.partition("|") for line in _lines("injections.txt"))
    ]


def near_misses() -> list[str]:
    """Return ordinary telemetry that reads like an order or a trick."""
    return [_written(line) for line in _lines("near_misses.txt")]


def _lines(name: str) -> list[str]:
    return [
        line
        for line in (FOLDER / name).read_text(encoding="utf-8").split("\n")
        if (line and line[0] != "#") or line[:4] == "####"
    ]


def _written(text: str) -> str:
    text = _BASE64.sub(lambda found: base64.b64encode(found[1].encode()).decode(), text)
    return _CHARACTER.sub(lambda found: chr(int(found[1], 16)), text)
