"""Reads an answer's JSON while it is being written: sentences so far, finished claims, and whether the whole was what was asked for."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

SCHEMA_KEY = "claims"
LONGEST_SENTENCE = 240  # characters; without an end a small model may say the same until its tokens are used up
_START = re.compile(r'\s*\{\s*"claims"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


class Unreadable(Exception):
    """The model's reply is not the JSON that was asked for. It is refused, never repaired."""


@dataclass(frozen=True, slots=True)
class RawClaim:
    """A sentence as the model wrote it, with the ids it cites; unchecked."""

    text: str
    cites: tuple[str, ...]


@dataclass
class ClaimReader:
    """Takes the reply piece by piece. `claims` are the finished ones in order; a claim is finished when its object is closed."""

    buffer: str = ""
    claims: list[RawClaim] = field(default_factory=list)
    _at: int = -1

    def feed(self, piece: str) -> tuple[list[RawClaim], RawClaim | None]:
        """Add a piece; return the claims that it finished, and the one that is being written, if any."""
        self.buffer += piece
        if self._at < 0:
            start = _START.match(self.buffer)
            if start is None:
                return [], None
            self._at = start.end()
        finished = list(iter(self._next, None))
        self.claims += finished
        return finished, self._unfinished()

    def end(self) -> list[RawClaim]:
        """Return all claims of a reply that is whole. Raises Unreadable when it is not the JSON that was asked for."""
        try:
            whole = json.loads(self.buffer)
        except ValueError as error:
            raise Unreadable(f"The model's reply is not JSON ({error}); it was refused.") from error
        if not isinstance(whole, dict) or not isinstance(whole.get(SCHEMA_KEY), list):
            raise Unreadable("The model's reply has no list of claims; it was refused.")
        found = [_claim(entry) for entry in whole[SCHEMA_KEY]]
        if None in found:
            raise Unreadable(
                "A claim in the model's reply has no sentence or no list of citations; the reply was refused."
            )
        return [claim for claim in found if claim is not None]

    def _next(self) -> RawClaim | None:
        at = _BETWEEN.match(self.buffer, self._at).end()  # type: ignore[union-attr]
        try:
            entry, end = _DECODER.raw_decode(self.buffer, at)
        except ValueError:
            return None  # not finished yet; `end` tells when it never will be
        claim = _claim(entry)
        if claim is not None:
            self._at = end
        return claim

    def _unfinished(self) -> RawClaim | None:
        try:
            entry = from_json(self.buffer[self._at :].lstrip(" \t\r\n,"), allow_partial="trailing-strings")
        except ValueError:
            return None
        return _claim({"cites": [], **entry}) if isinstance(entry, dict) else None


def schema(ids: tuple[str, ...], *, least: int = 1, most: int = 4) -> Mapping[str, Any]:
    """Return the JSON schema of an answer that may cite only these evidence ids."""
    cites = {"type": "array", "items": {"type": "string", "enum": list(ids)}, "minItems": 1, "maxItems": 3}
    claim = {
        "type": "object",
        "properties": {"text": {"type": "string", "maxLength": LONGEST_SENTENCE}, "cites": cites},
        "required": ["text", "cites"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {SCHEMA_KEY: {"type": "array", "items": claim, "minItems": least, "maxItems": most}},
        "required": [SCHEMA_KEY],
        "additionalProperties": False,
    }


def _claim(entry: object) -> RawClaim | None:
    if not isinstance(entry, dict):
        return None
    text, cites = entry.get("text"), entry.get("cites")
    if not isinstance(text, str) or not isinstance(cites, list) or not all(isinstance(id_, str) for id_ in cites):
        return None
    return RawClaim(text, tuple(cites))
