"""Masks secrets and personal data in telemetry before it is stored: keys, tokens, passwords, card numbers, e-mail addresses."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from django.conf import settings

SHORT = 512  # longer texts are rarely the same twice, so they are not kept in the cache


def mask(text: str) -> str:
    """Return the text with secrets and personal data replaced by `[masked]` or `[kind]`; IP addresses only if COPILOT_MASK_IPS is on."""
    if len(text) <= SHORT:
        return _mask_short(text, settings.MASK_IP_ADDRESSES)
    return _mask(text, settings.MASK_IP_ADDRESSES)


def _is_card(match: re.Match[str]) -> str:
    """Mask a number whose check digit is right (Luhn, ISO/IEC 7812) and whose length and first digit a card can have."""
    digits = [int(c) for c in match.group() if c.isdigit()]
    doubled = sum(d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(reversed(digits)))
    is_card = 13 <= len(digits) <= 19 and digits[0] in (2, 3, 4, 5, 6) and doubled % 10 == 0 and len(set(digits)) > 2
    return "[card]" if is_card else match.group()


Replacement = str | Callable[[re.Match[str]], str]
# A name that announces a secret, then a separator, then the value.
ANNOUNCED = r"(?:authorization|pass(?:word|wd|phrase)|pwd|secret|credentials?|(?:api|access|private|secret|account|shared)[-_. ]?key|(?:access|auth|refresh|bearer|id|session|csrf|api)?[-_.]?token|session[-_.]?id|sig(?:nature)?|set-cookie|cookie)"
RULES: Sequence[tuple[re.Pattern[str], Replacement]] = (
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        "[private key]",
    ),
    (re.compile(r"(?i)\b((?:set-)?cookie\s*[:=]\s*)[^\r\n\"']+"), r"\1[masked]"),
    (re.compile(r"(?i)\b(bearer|basic|digest|token)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 [masked]"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), "[token]"),
    (
        re.compile(
            r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[opsru]_[A-Za-z0-9]{30,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}"
            r"|(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,}|AIza[\w-]{35}|ya29\.[\w-]{20,}|npm_[A-Za-z0-9]{36}"
            r"|pypi-[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|hf_[A-Za-z0-9]{30,}|dop_v1_[a-f0-9]{64}|hvs\.[\w-]{20,})"
        ),
        "[key]",
    ),
    (re.compile(r"([a-z][a-z0-9+.-]*://[^\s/:@\"'<>]*):[^\s/@\"'<>]+@", re.IGNORECASE), r"\1:[masked]@"),
    (
        re.compile(
            rf"(?i)((?:\b|_)[\w-]*?{ANNOUNCED}[\"']?\s*(?:=>|[=:])\s*)(?!\[masked\]|(?:bearer|basic|digest|token)\s|null\b|none\b|true\b|false\b)"
            r"(?:\"[^\"]*\"|'[^']*'|[^\s\"',;&)\]}<>]+)"
        ),
        r"\1[masked]",
    ),
    (re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}\b"), "[email]"),
    (re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"), _is_card),
)
ADDRESSES: Sequence[tuple[re.Pattern[str], Replacement]] = (
    (re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"), "[ip]"),
    (re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){1,7}(?![\w:])"), "[ip]"),
)
# One cheap look decides for most texts that there is nothing to mask.
SUSPICIOUS = re.compile(
    r"@|-----BEGIN|eyJ|(?:AKIA|ASIA)[A-Z0-9]|gh[opsru]_|github_pat|glpat-|xox[abeprs]-|\b[sprSPR]k[-_]|AIza|ya29\.|npm_|pypi-|SG\.|hf_|dop_v1|hvs\."
    r"|\d(?:[ -]?\d){12}|(?i:bearer |basic |digest |token|author|cookie|passw|passp|pwd|secret|credential|key|session|\bsig)"
)


def _mask(text: str, addresses: bool) -> str:
    if SUSPICIOUS.search(text):
        for pattern, replacement in RULES:
            text = pattern.sub(replacement, text)
    if addresses:
        for pattern, replacement in ADDRESSES:
            text = pattern.sub(replacement, text)
    return text


_mask_short = lru_cache(maxsize=32_768)(_mask)
