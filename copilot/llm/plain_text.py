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


# What a reader of Markdown or HTML would turn into a picture, a link or a request; what a person reads of it stays. A link by reference
# is nothing without its definition, so only that goes: [0][1] is an index more often.
_MARKDOWN_LINK = re.compile(r"!?\[(?!E\d{1,3}\])([^\[\]]{0,400})\]\([^()]*(?:\([^()]*\)[^()]*)*\)")
_BARE_IMAGE = re.compile(r"!\[([^\[\]]{0,400})\]")
_REFERENCE = re.compile(r"\[[^\[\]]{1,100}\]:\s*\S+")
# An address on the network, also one written to be joined again by whatever shows it.
_ADDRESS = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,20}:){0,3}(?<![\w/])//[^\s<>\"'`)\]}]{2,}|\b[a-z][a-z0-9+.-]{1,20}://[^\s<>\"'`)\]}]+"
    r"|\b(?:https?|wss?|ftp|javascript|vbscript|data|file|mailto|blob):(?=[^\s])[^\s<>\"'`)\]}]*|\bwww\.[\w-]+(?:\.[\w-]+)+[^\s<>\"'`)\]}]*",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?<!/)//(?!/)(?:[^/@\s]*@)?([\w.-]{1,80})")
_TAG = re.compile(r"<(?=[A-Za-z/!?])|(?<=[A-Za-z\"'/?-])>(?!\s?\d)")


def said_by_model(text: str, *, limit: int | None = None) -> str:
    """Return a model's words as they may be shown, stored and sent anywhere: plain text on one line, without hidden characters, escape
    codes, tags, pictures and addresses. Everything that a model writes goes through here once, where it comes in.

    An address becomes a word about it, for an address that somebody else's program opens can carry data away. Doing it again changes nothing.
    """
    text = clean(text)
    for _ in range(3):  # a link in a link
        before = text
        text = _BARE_IMAGE.sub(r"\1", _REFERENCE.sub("", _MARKDOWN_LINK.sub(r"\1", text)))
        if text == before:
            break
    # Half a link, whose other half may stand in the sentence before.
    return clean(_TAG.sub(_angle, _ADDRESS.sub(_named, text)).replace("](", "] ("), limit=limit)


def _named(address: re.Match[str]) -> str:
    host = _HOST.search(address.group())
    return f"[address at {host[1].replace('.', ' dot ')} left out]" if host else "[address left out]"


def _angle(mark: re.Match[str]) -> str:
    return "‹" if mark.group() == "<" else "›"
