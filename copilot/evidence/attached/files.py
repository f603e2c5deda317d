"""An attached file as masked lines of text, within bounds."""

import json
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePath

MOST_BYTES = 64_000_000  # unpacked
MOST_LINES = 300_000
MOST_CHARACTERS = 4_000  # of a line
MOST_LINE_LENGTH_TO_LAY_OUT = 2_000_000  # of a JSON document written on one line
_GZIP = b"\x1f\x8b"
MOST_KEY_LINES = 200
_KEY_BEGINS, _KEY_ENDS = (
    re.compile(rf"-----{word} [A-Z ]{{0,30}}PRIVATE KEY( BLOCK)?-----") for word in ("BEGIN", "END")
)
_KEY_LINE = re.compile(r"[\s|>\"']*(?:[A-Za-z0-9+/=]{4,}|(?:Proc-Type|DEK-Info|Version|Comment):.*)[\s\"',]*")
_ESCAPE_CODES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


class UnreadableFile(Exception):
    """The file holds no text that can be read; the message says why, for whoever attached it."""


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """Its lines, counted from 1 in every citation; `cut` says what was left out, "" when nothing was."""

    name: str
    lines: tuple[str, ...]
    cut: str = ""


def read(name: str, content: bytes, *, mask: Callable[[str], str]) -> AttachedFile:
    """Return a file's text: unpacked when it is gzip, UTF-8 with replacement, without escape codes, each line masked and cut to size.

    Raises UnreadableFile for a broken archive, one that unpacks to more than 64 MB, and for what is no text.
    """
    name = PurePath(name).name[:120] or "file"
    if content.startswith(_GZIP):
        content = _unpacked(name, content)
        name = name.removesuffix(".gz")
    if len(content) > MOST_BYTES:
        raise UnreadableFile(f"{name} has {len(content) / 1e6:.0f} MB; {MOST_BYTES / 1e6:.0f} MB are allowed.")
    if b"\x00" in content[:8000]:
        raise UnreadableFile(f"{name} is no text file. Attach logs, command output, configuration, CSV or JSON.")
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    lines = _laid_out(lines)
    notes = []
    if len(lines) > MOST_LINES:
        notes.append(
            f"of {name} only the last {MOST_LINES:,} of {len(lines):,} lines were read; they are counted from there"
        )
        lines = lines[-MOST_LINES:]
    if any(len(line) > MOST_CHARACTERS for line in lines):
        notes.append(f"lines of {name} longer than {MOST_CHARACTERS:,} characters were cut")
    kept = tuple(_masked(lines, mask=mask))
    return AttachedFile(name, kept, "; ".join(notes))


def _masked(lines: list[str], *, mask: Callable[[str], str]) -> Iterator[str]:
    """Yield each line masked; those of a private key are one by one nothing that could be known for a part of it."""
    in_key = 0
    for line in lines:
        text = _ESCAPE_CODES.sub("", line[:MOST_CHARACTERS])
        if in_key and not _KEY_ENDS.search(text) and (_KEY_LINE.fullmatch(text) or not text.strip()):
            in_key -= 1
            yield "[private key]"
            continue
        in_key = MOST_KEY_LINES if _KEY_BEGINS.search(text) else 0
        yield mask(text)


def free_name(name: str, taken: Collection[str]) -> str:
    """Return the name, or "pod (2).log" for a second "pod.log": a citation names its file, so no two may be called the same."""
    path, number, free = PurePath(name), 1, name
    while free in taken:
        number += 1
        free = f"{path.stem} ({number}){path.suffix}"
    return free


def _unpacked(name: str, content: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        found = unpacker.decompress(content, MOST_BYTES + 1)
    except zlib.error as error:
        raise UnreadableFile(f"{name} is a broken gzip file: {error}.") from error
    if len(found) > MOST_BYTES:
        raise UnreadableFile(f"{name} unpacks to more than {MOST_BYTES / 1e6:.0f} MB. Attach a part of it.")
    if not unpacker.eof:
        raise UnreadableFile(f"{name} is a gzip file that ends too early. Attach the whole file.")
    return found


def _laid_out(lines: list[str]) -> list[str]:
    """Lay out a JSON document that stands on a single line, so that its parts have lines to be cited by."""
    written = [line for line in lines if line.strip()]
    if (
        len(written) != 1
        or not 200 < len(written[0]) <= MOST_LINE_LENGTH_TO_LAY_OUT
        or written[0].lstrip()[0] not in "{["
    ):
        return lines
    try:
        document = json.loads(written[0])
    except ValueError:
        return lines
    return json.dumps(document, indent=1, ensure_ascii=False).splitlines()
