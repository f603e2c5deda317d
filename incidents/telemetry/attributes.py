"""Attributes as one masked JSON text: bounded, without what PostgreSQL refuses, equal when the attributes are equal."""

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

import orjson

Mask = Callable[[str], str]

MASKED = "[masked]"
EMPTY = "{}"
LONGEST_VALUE = 2_048  # characters
LONGEST_KEY = 128
SHORT = 256  # characters; longer texts are rarely the same twice
MOST_ATTRIBUTES = 128
DEEPEST = 6
INT64 = 1 << 63
# Whole header-like names only, so that "prompt_tokens" or "tokenizer" keep their values.
SECRET_KEY = re.compile(
    r"(?:^|[^a-z0-9])(?:(?:proxy[-_.]?)?authorization|(?:set[-_.]?)?cookies?|pass(?:word|wd|phrase)|pwd|secrets?|credentials?"
    r"|(?:[a-z0-9]+[-_.]?)?(?:api[-_.]?key|access[-_.]?key|private[-_.]?key|secret[-_.]?key|token))(?:$|[^a-z0-9])"
    r"|(?:password|passwd|secret|apikey|token)$",
    re.IGNORECASE,
)


def is_secret_key(key: str) -> bool:
    """Say whether an attribute of this name is masked whole: authorization, cookie, password, api_key, token, secret and the like."""
    return SECRET_KEY.search(key) is not None


@lru_cache(maxsize=8_192)
def _key(key: str) -> tuple[str, bool]:
    """Return a key as it is kept, and whether its value is masked whole."""
    return _clean(key, str, LONGEST_KEY), is_secret_key(key)


def clean(text: str, *, mask: Mask, longest: int = LONGEST_VALUE) -> str:
    """Return the text masked, cut to `longest` characters with a mark, and without U+0000 and lone surrogates.

    It is masked before it is cut, so that a secret is never left as half of itself.
    """
    return _clean_short(text, mask, longest) if len(text) <= SHORT else _clean(text, mask, longest)


def _clean(text: str, mask: Mask, longest: int) -> str:
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    text = mask(text if len(text) <= 4 * longest else text[: 4 * longest])
    return text if len(text) <= longest else f"{text[:longest]}…"


# Names, routes and hosts come again and again; most of an exporter's text is found here.
_clean_short = lru_cache(maxsize=65_536)(_clean)


def as_text(attributes: Mapping[str, object], *, mask: Mask) -> str:
    """Return the attributes as JSON text with sorted keys, masked; at most 128 of them, the rest are dropped with a mark."""
    if not attributes:
        return EMPTY
    kept: dict[str, object] = {}
    for key, value in attributes.items():
        name, secret = _key(key)
        kept[name] = _clean_value(value, mask=mask, secret=secret, depth=1)
        if len(kept) == MOST_ATTRIBUTES < len(attributes):
            kept["…"] = f"{len(attributes) - MOST_ATTRIBUTES} more attributes were dropped"
            break
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()


def member(key: str, value: object, *, mask: Mask) -> tuple[str, str]:
    """Return one attribute's name as it is kept, and its part of what `as_text` writes: `"name":value`."""
    name, secret = _key(key)
    if isinstance(value, str) and not secret:  # not looked up among the texts known: whoever asks here keeps the answer
        value = _clean(value, mask, LONGEST_VALUE)
    else:
        value = _clean_value(value, mask=mask, secret=secret, depth=1)
    return name, orjson.dumps({name: value}, option=orjson.OPT_SORT_KEYS).decode()[1:-1]


def _clean_value(value: object, *, mask: Mask, secret: bool, depth: int) -> object:
    """Numbers and flags stay what they are even under a secret's name: a count of tokens is no token."""
    if isinstance(value, str):
        return MASKED if secret else clean(value, mask=mask)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return value if -INT64 <= value < INT64 else "a whole number beyond 64 bits"
    if isinstance(value, Mapping):
        if depth >= DEEPEST:
            return "nested too deeply"
        nested: dict[str, object] = {}
        for key, inner in list(value.items())[:MOST_ATTRIBUTES]:
            name, named_secret = _key(key)
            nested[name] = _clean_value(inner, mask=mask, secret=secret or named_secret, depth=depth + 1)
        return nested
    if isinstance(value, list):
        if depth >= DEEPEST:
            return "nested too deeply"
        return [_clean_value(inner, mask=mask, secret=secret, depth=depth + 1) for inner in value[:MOST_ATTRIBUTES]]
    return None
