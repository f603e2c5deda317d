"""Cleans text that goes into a prompt or comes out of a model: nothing that steers a terminal, hides, or turns the reading direction."""

import re

# Escape sequences of terminals: CSI, OSC (which can write the clipboard) and the two-character ones.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|.)?", re.DOTALL
)
# Controls, invisible and direction-changing characters, lone surrogates, Unicode tags and private variation selectors.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SPACE = re.compile(r"\s+")


def clean(text: str, *, limit: int | None = None) -> str:
    """Return the text on one line without hidden or controlling characters; past `limit` characters it ends with "…"."""
    visible = _SPACE.sub(" ", _HIDDEN.sub("", _ESCAPES.sub("", text))).strip()
    return visible if limit is None or len(visible) <= limit else visible[: limit - 1].rstrip() + "…"
