"""Finds secrets that hide from their formats: in base64, in percent-encoding, or broken over two lines. Plain Python."""

import base64
import binascii
import re
from collections.abc import Callable
from urllib.parse import unquote

from incidents.intake.key_formats import JWT, KEY, MARKED

MASKED = "[encoded secret]"
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{24,4000}={0,2}")
_PERCENT = re.compile(r"[\w.~!*'();:@&=+$,/?#\[\]-]*(?:%[0-9A-Fa-f]{2}[\w.~!*'();:@&=+$,/?#\[\]-]*)+")
# A line's end, as it is or as it is written inside JSON, with what quotes or joins the two halves.
_BREAK = re.compile(r"[\"']?\s?[\\+]?\s*(?:\r?\n|\\r?\\n|\\n)\s*[\"']?")
# What is left of a key whose first half was masked where its line was read alone: a line that is nothing but letters and digits.
_REST = re.compile(
    rf"(\[(?:key|token|masked|encoded secret)\])({_BREAK.pattern})(?=[\w+/=.-]*\d)(?=[\w+/=.-]*[A-Za-z])[\w+/=.-]{{8,}}(?=[\"']?\s*(?:\r?\n|\\n|$))"
)
_FORMS = (KEY, JWT, *(pattern for _, pattern in MARKED))
_KEY_PART = re.compile(r"[A-Za-z0-9+/_=.-]{4,}")
_PRINTABLE = re.compile(r"[\x20-\x7e\s]+")
_NESTED = 2  # base64 in base64, percent-encoding in percent-encoding


def mask(text: str, *, mask_plain: Callable[[str], str]) -> str:
    """Return the text masked by `mask_plain`, and encoded secrets too; what counts as one is what `mask_plain` changes once it is decoded."""
    # Before anything else: a key of which the first half is masked already is none any more.
    text = mask_plain(_over_lines(text))
    text = _BASE64.sub(lambda run: MASKED if _in_base64(run.group(), mask_plain) else run.group(), text)
    if "%" in text:
        text = _PERCENT.sub(lambda run: _in_percent(run.group(), mask_plain), text)
    return _REST.sub(rf"\1\2{MASKED}", text)


def _in_base64(run: str, mask_plain: Callable[[str], str], depth: int = 1) -> bool:
    for altchars in (b"+/", b"-_"):
        try:
            decoded = base64.b64decode(run.rstrip("=") + "=" * (-len(run.rstrip("=")) % 4), altchars, validate=True)
            plain = decoded.decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            continue
        if not _PRINTABLE.fullmatch(plain):
            continue
        if mask_plain(plain) != plain:
            return True
        if depth < _NESTED and _BASE64.fullmatch(plain.strip()):
            return _in_base64(plain.strip(), mask_plain, depth + 1)
    return False


def _in_percent(run: str, mask_plain: Callable[[str], str]) -> str:
    plain = run
    for _ in range(_NESTED):
        plain = unquote(plain)
        masked = mask_plain(plain)
        if masked != plain:
            return masked
    # What decoding alone makes visible is masked; where nothing is, the text stays as it was written.
    return run


def _over_lines(text: str) -> str:
    """Return the text with keys masked that a line's end breaks in two."""
    at = 0
    while broken := _BREAK.search(text, at):
        before = text[max(0, broken.start() - 200) : broken.start()].split()
        after = _KEY_PART.match(text, broken.end())
        at = broken.end()
        if not before or after is None:
            continue
        joined = before[-1] + after.group()
        key = next((found for form in _FORMS if (found := form.search(joined))), None)
        if key is not None and key.start() < len(before[-1]) < key.end():
            begin = broken.start() - len(before[-1]) + key.start()
            end = broken.end() + key.end() - len(before[-1])
            text = text[:begin] + MASKED + text[end:]
            at = begin + len(MASKED)
    return text
