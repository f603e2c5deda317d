"""Reads JSON that anybody may have written: what PostgreSQL or a page could not take is replaced in the copy, never in the raw bytes."""

import json
import math
import re
from typing import Any, NoReturn

import orjson

from incidents.intake.masking import mask

MOST_DIGITS = 400  # of a number; floats end at 309
CUT = "… [cut]"
# Control characters (terminal escapes among them) but for tab and line feed, and lone halves of surrogate pairs.
UNUSABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
MARK = "\N{REPLACEMENT CHARACTER}"


class MalformedDocument(Exception):
    """The bytes are not JSON. The message says what is wrong and where."""


def read_json(body: bytes) -> Any:
    """Return the document, as JSON (RFC 8259) says it. Raises MalformedDocument.

    What is allowed and yet unusable is taken: a number beyond floating point becomes the text of it, lone surrogates stay until
    `clean` replaces them.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        first = error
    try:
        text = body.decode("utf-8")
        return json.loads(text, parse_constant=_refuse, parse_float=_float, parse_int=_int)
    except UnicodeDecodeError as error:
        raise MalformedDocument(
            f"The body is not UTF-8: byte {body[error.start]:#04x} at position {error.start}."
        ) from error
    except RecursionError as error:
        raise MalformedDocument("The JSON is nested deeper than this server reads: flatten it.") from error
    except json.JSONDecodeError as error:
        raise MalformedDocument(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    except ValueError as error:
        raise MalformedDocument(f"The body is not JSON: {error} ({first.msg} at position {first.pos}).") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text[:MOST_DIGITS]


def _int(text: str) -> int | str:
    return int(text) if len(text) <= MOST_DIGITS else text[:MOST_DIGITS]


def clean(text: str, *, most_bytes: int) -> str:
    """Return the text without characters that cannot be stored or would steer a terminal, at most so long in UTF-8, cuts marked."""
    if not text.isprintable():
        text = UNUSABLE.sub(MARK, text)
    if len(text) * 4 <= most_bytes or len(text.encode()) <= most_bytes:
        return text
    kept = text.encode()[: max(most_bytes - len(CUT.encode()), 0)].decode("utf-8", errors="ignore")
    return kept + CUT if most_bytes > len(CUT.encode()) else kept


def as_text(value: object) -> str:
    """Return a JSON value as people would write it: texts as they are, true and numbers in JSON, the rest as compact JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return "[nested too deeply]"


def mask_document(document: Any) -> Any:
    """Return the document with secrets and personal data masked in its texts; a member's name tells what its value is.

    The objects of a list are masked one by one: most hold nothing that even hints at a secret, which is soon seen.
    """
    if isinstance(document, list):
        return [mask_document(one) for one in document]
    if not isinstance(document, dict):
        return _mask_whole(document)
    lists = {key: value for key, value in document.items() if isinstance(value, list) and len(value) > 1}
    rest = _mask_whole({key: value for key, value in document.items() if key not in lists} if lists else document)
    return {**rest, **{key: _mask_list(key, value) for key, value in lists.items()}}


def _mask_list(name: str, items: list[Any]) -> list[Any]:
    if all(isinstance(one, dict) for one in items):
        return [_mask_whole(one) for one in items]
    masked = _mask_whole({name: items})  # a list of texts: its name says what they are
    return next(iter(masked.values()), items)


def _mask_whole(document: Any) -> Any:
    try:
        text = json.dumps(document, ensure_ascii=False)
    except RecursionError as error:
        raise MalformedDocument("The JSON is nested deeper than this server reads: flatten it.") from error
    masked = mask(text)
    if masked == text:
        return document
    try:
        return json.loads(masked)
    except json.JSONDecodeError:
        return _mask_members(document)  # a secret that is a number leaves no JSON behind


def _mask_members(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {_mask_members(key): _mask_members(member, str(key)) for key, member in value.items()}
    if isinstance(value, list):
        return [_mask_members(member, name) for member in value]
    if isinstance(value, bool) or value is None:
        return value
    before = f"{name}={value}" if name else str(value)
    after = mask(before)
    if after == before:
        return value
    return after.removeprefix(f"{name}=") if after.startswith(f"{name}=") else "[masked]"
