"""The last look at a text before it leaves for a model. Fails closed: what still looks like a secret stops the call."""

import math
import re
from collections import Counter
from collections.abc import Callable

from copilot.privacy.pseudonyms import HidingFailed
from incidents.intake import personal_data
from incidents.intake.key_formats import KEY

# What has a known shape and must never leave, whatever the masking before it did or forgot.
_KNOWN = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "key of a known service": KEY,
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


# What chat templates put between the speakers: a model would take what follows for another's words.
_TURNS = re.compile(
    r"<[|｜][^|｜<>\n]{0,40}[|｜]?>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\]|<</?SYS>>|<(?:start|end)_of_turn>|</?s>|<(?:eos|bos|pad|unk)>",
    re.IGNORECASE,
)
_KINDS = {"ip": "a public address", "id": "a personal number", "birth": "a date of birth", "iban": "an account number"}


def redact(text: str, *, mask: Callable[[str], str]) -> str:
    """Return the text masked again, and without the marks that chat templates put between speakers.

    Raises RedactionFailed when masking fails, or when a secret or personal data seems to be still in it.
    """
    found = masked(text, mask=mask)
    for kind, pattern in _KNOWN.items():
        if pattern.search(found):
            raise RedactionFailed(
                f"What would be sent to the model still holds a {kind}, so nothing was sent. "
                "Mask it where the telemetry comes from; the page shows which evidence item holds it."
            )
    if left := personal_data.find(found):
        kind = _KINDS.get(left[0].kind, f"a personal {left[0].kind}")
        raise RedactionFailed(f"What would be sent to the model still holds {kind}, so nothing was sent.")
    found = _TURNS.sub("[mark of a chat template]", found)
    return _RUN.sub(lambda run: "[masked]" if _bits(run.group()) >= RANDOM_BITS else run.group(), found)


def masked(text: str, *, mask: Callable[[str], str]) -> str:
    """Return the text masked. Raises RedactionFailed when that fails, with the reason."""
    try:
        return mask(text)
    except HidingFailed as error:
        raise RedactionFailed(f"{error} Nothing was sent to the model.") from error
    except (ValueError, LookupError, ArithmeticError, RuntimeError, TypeError) as error:
        raise RedactionFailed(
            f"Masking failed ({type(error).__name__}), so nothing was sent to the model. The worker's log says where."
        ) from error


def _bits(text: str) -> float:
    """Return the Shannon entropy per character, in bits."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())
