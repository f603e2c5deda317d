"""The last look at a text before it leaves for a model. Fails closed: what still looks like a secret stops the call."""

import math
import re
from collections import Counter
from collections.abc import Callable

# What has a known shape and must never leave, whatever the masking before it did or forgot.
_KNOWN = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "cloud access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "service token": re.compile(
        r"\b(?:gh[opsru]_[A-Za-z0-9]{30,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|hvs\.[\w-]{20,})"
    ),
    "model provider key": re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}"),
    "web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}"),
    "password in an address": re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@]*:(?!\[masked\])[^\s/@]{3,}@", re.IGNORECASE),
}
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{40,}")
# Of 64 symbols drawn at random, 40 characters have about 4.9 bits each; words, paths and hex ids (4.0 at most) stay below.
RANDOM_BITS = 4.6


class RedactionFailed(Exception):
    """A text for the model still holds what looks like a secret. The message names the kind, never the value."""


def redact(text: str, *, mask: Callable[[str], str]) -> str:
    """Return the text masked again. Raises RedactionFailed when a known or random-looking secret is still in it."""
    masked = mask(text)
    for kind, pattern in _KNOWN.items():
        if pattern.search(masked):
            raise RedactionFailed(
                f"What would be sent to the model still holds a {kind}, so nothing was sent. "
                "Mask it where the telemetry comes from; the page shows which evidence item holds it."
            )
    return _RUN.sub(lambda run: "[masked]" if _bits(run.group()) >= RANDOM_BITS else run.group(), masked)


def _bits(text: str) -> float:
    """Return the Shannon entropy per character, in bits."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())
