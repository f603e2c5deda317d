"""Masks secrets and personal data in telemetry before it is stored: keys, tokens, passwords, card numbers, e-mail addresses.

What surrounds a secret stays readable: `password=[masked]`, `https://shop:[masked]@db`. Masking twice changes nothing.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from django.conf import settings

from incidents.intake.key_formats import JWT, mask_keys


def mask(text: str) -> str:
    """Return the text with secrets and personal data replaced by `[masked]` or `[kind]`; IP addresses only if COPILOT_MASK_IPS is on."""
    lowered = text.lower()
    text = mask_keys(text, lowered=lowered, instead="[key]")
    for hint in HINTS if len(text) > SHORT or ANY_HINT.search(lowered) else ():
        if hint in lowered:
            text = _apply_rules(text, lowered)
            break
    if LONG_NUMBER.search(text):
        text = CARD_LIKE.sub(_card, text)
    if settings.MASK_IP_ADDRESSES:
        for address in ADDRESSES:
            text = address.sub("[ip]", text)
    return text


class Rule(NamedTuple):
    """Applied only to texts that hold one of `hints` and one of `also` (in lower case): most hold none, and a substring is found fast."""

    hints: Sequence[str]
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]
    also: Sequence[str] = ("",)


# First digits and lengths of the card networks (ISO/IEC 7812 issuer ranges), to tell a card from any long number.
CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|65\d{2}|64[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
TRACE_CONTEXT = re.compile(r"(?:span|trace|parent)[-_ ]?id\W*$", re.IGNORECASE)


def _card(match: re.Match[str]) -> str:
    """Mask a number that a card can have: its network's first digits and length, and the right check digit (Luhn)."""
    text = match.group()
    digits = re.sub(r"\D", "", text)
    if not CARD.fullmatch(digits) or TRACE_CONTEXT.search(match.string, max(0, match.start() - 16), match.start()):
        return text
    doubled = (int(d) if i % 2 == 0 else int(d) * 2 - (9 if d > "4" else 0) for i, d in enumerate(reversed(digits)))
    return "[card]" if sum(doubled) % 10 == 0 else text


# A name that announces a secret; then come quotes, a separator, and the value.
ANNOUNCED = (
    r"(?:authorization|pass(?:word|wd|phrase|wort)|kennwort|contraseña|mot[-_ ]de[-_ ]passe|senha|wachtwoord|(?<![a-z])pwd"
    r"|(?:ssh|db|user|smtp|mail|ftp|ldap|proxy|sudo|become|admin|root|auth|mysql|pg|redis)[-_.]?pass(?![a-z])|bind[-_.]?pw|secret(?:[-_.]?key(?:[-_.]?base)?)?|credentials?"
    r"|access[-_. ]?key(?:[-_. ]?id)?|(?:api|app|auth|private|account|shared|master|signing|encryption)[-_. ]?key"
    r"|token|session[-_.]?id|(?<![a-z])sig(?:nature)?)"
)
QUOTED = r"(?P<quote>\\?[\"'])(?:(?!(?P=quote))(?:\\.|[^\\\n]))*(?P=quote)?"
BARE = r"(?!(?:bearer|basic|digest|token)\s|(?:null|none|true|false|undefined)\b)[^\s\"'\\,;&)\]}<>\[]+"


def _keep_quotes(match: re.Match[str]) -> str:
    quote = match["quote"] or ""
    return f"{match[1]}{quote}[masked]{quote}"


NAMES = (
    *("author", "pass", "pwd", "secret", "credential", "key", "token", "session", "sig"),
    *("kennwort", "contrase", "senha", "wachtwoord"),
)  # in whatever announces a secret
_FLAGS = re.compile(r"(\s-[pa] ?)(?![-\[\s])\S{3,200}")  # that take a password, of the commands below
# Where no separator stands between the name and its value.
ELSEWHERE: Sequence[Rule] = (
    # <password>…</password>, and --password … on a command line.
    Rule(
        NAMES,
        re.compile(
            rf"(<(?:[\w:.-]{{0,40}}?){ANNOUNCED}[\w.-]{{0,20}}>)(?!\[masked\])[^<>]{{1,500}}(?=</)", re.IGNORECASE
        ),
        r"\1[masked]",
        ("</",),
    ),
    Rule(
        NAMES,
        re.compile(rf"(--[\w.-]{{0,40}}?{ANNOUNCED}\d{{0,2}} )(?!-)(?:{QUOTED}|{BARE})", re.IGNORECASE),
        _keep_quotes,
        ("--",),
    ),
    # A container's environment: name: DB_PASSWORD, value: …; and ["password", "…"].
    Rule(
        NAMES,
        re.compile(
            rf"(name\\?[\"']?\s*[:=]\s*\\?[\"']?[\w.-]{{0,60}}?{ANNOUNCED}\d{{0,2}}\\?[\"']?(?:[\s,]|\\[rn]){{1,20}}-?\\?[\"']?value\\?[\"']?\s{{0,3}}[:=]\s{{0,3}})"
            rf"(?:{QUOTED}|{BARE})",
            re.IGNORECASE,
        ),
        _keep_quotes,
        ("value",),
    ),
    Rule(
        NAMES,
        re.compile(rf"([\[(]b?\\?[\"'][\w.-]{{0,60}}?{ANNOUNCED}\d{{0,2}}\\?[\"'],\s{{0,3}}b?){QUOTED}", re.IGNORECASE),
        _keep_quotes,
        ('",', "',"),
    ),
    Rule(NAMES, re.compile(rf"({ANNOUNCED}\(){QUOTED}", re.IGNORECASE), _keep_quotes, ("(",)),
    Rule(
        NAMES,
        re.compile(
            rf"(name=\"[\w.-]{{0,60}}?{ANNOUNCED}\d{{0,2}}\"(?:\r?\n|\\r\\n|\\n){{2}})(?!\[masked)[^\r\n\\]{{1,2000}}",
            re.IGNORECASE,
        ),
        r"\1[masked]",
        ("form-data",),
    ),
    Rule(
        NAMES,
        re.compile(rf"(\bENV \w{{0,60}}?{ANNOUNCED}\d{{0,2}} )(?:{QUOTED}|{BARE})", re.IGNORECASE),
        _keep_quotes,
        ("env ",),
    ),
    # Commands that take a password without naming it.
    Rule(
        ("curl", "wget"),
        re.compile(r"(\s(?:-u|--user)[ =]?[^\s:'\"]{1,60}:)(?!\[masked)[^\s'\"]{1,200}"),
        r"\1[masked]",
        (" -u", "--user"),
    ),
    Rule(
        ("pass", "mysql", "mariadb", "redis-cli", " login"),
        re.compile(
            r"\b(?:sshpass|mysql\w*|mariadb\w*|redis-cli|(?:docker|podman|helm registry|az acr) login)\b[^|;\n]{1,400}"
        ),
        lambda command: _FLAGS.sub(r"\1[masked]", command.group()),
        (" -p", " -a"),
    ),
    Rule(("-pass",), re.compile(r"(-pass(?:in|out)?[ =]pass:)(?!\[masked)\S{1,200}"), r"\1[masked]"),
    Rule(
        ("requirepass", "masterauth"),
        re.compile(r"((?:requirepass|masterauth)\s+)(?!\[masked)\S{1,200}", re.IGNORECASE),
        r"\1[masked]",
    ),
    Rule(
        ("identified by", "password"),
        re.compile(rf"((?:identified by|password)(?: was| is)?\s){QUOTED}", re.IGNORECASE),
        _keep_quotes,
        ("'", '"'),
    ),
    # In prose, what has letters and digits after such a word is one.
    Rule(
        ("password", "passphrase", "community"),
        re.compile(
            r"((?:password|passphrase|community string)(?: was| is)?\s)(?=[^\s\d]*\d)(?=[^\sA-Za-z]*[A-Za-z])(?![\"'\[])[^\s,;]{6,200}",
            re.IGNORECASE,
        ),
        r"\1[masked]",
    ),
    # A key as the user of an address.
    Rule(("://",), re.compile(r"(?<=://)(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{20,200}(?=[:@])"), "[masked]"),
)

RULES: Sequence[Rule] = (
    Rule(
        ("private key",),
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        "[private key]",
    ),
    Rule(("cookie",), re.compile(r"(cookie[\"']?\s*+[:=]\s*+)(?!\[masked)[^\r\n\"']+", re.IGNORECASE), r"\1[masked]"),
    Rule(("eyj",), JWT, "[token]"),
    Rule(
        ("bearer ", "basic ", "digest ", "token "),
        # A digit, a capital after a small letter, or padding tells a credential from prose such as "basic authentication".
        re.compile(
            r"\b((?i:bearer|basic|digest|token))\s+(?=[A-Za-z._~+/-]*(?:[0-9=]|[a-z][A-Z]))[A-Za-z0-9._~+/=-]{8,}"
        ),
        r"\1 [masked]",
    ),
    Rule(("://",), re.compile(r"(?<=://)([^\s/:@\"'<>]{0,100}):(?!\[masked\]@)[^\s/\"'<>]{1,300}@"), r"\1:[masked]@"),
    Rule(
        NAMES,
        re.compile(
            rf"({ANNOUNCED}\d{{0,2}}(?:\\?[\"'])?\]?\s{{0,40}}+(?:=>|[=:])\s{{0,3}}+)(?:{QUOTED}|{BARE})", re.IGNORECASE
        ),
        _keep_quotes,
    ),
    *ELSEWHERE,
    # A node of a cluster (rabbit@broker-0.brokers.svc.cluster.local) is no person.
    Rule(
        ("@",),
        re.compile(
            r"[A-Za-z0-9._%+-]{1,64}@(?![\w.-]{1,200}\.svc\.cluster\.local\b)(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"
        ),
        "[email]",
    ),
)
CARD_LIKE = re.compile(r"(?<![\w.-])[2-6]\d(?:[ -]?\d){11,17}(?![\w-])")
LONG_NUMBER = re.compile(r"\d[\d -]{11}")
ADDRESSES: Sequence[re.Pattern[str]] = (
    re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]\w)"),
    re.compile(
        r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])|(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}(?![\w:])"
    ),
)
_ALL_HINTS = {hint for rule in RULES for hint in rule.hints}
HINTS = tuple(hint for hint in _ALL_HINTS if not any(other in hint for other in _ALL_HINTS - {hint}))
# In a short text one pass of a pattern finds a hint faster than a search for each; in a long one it is the other way round.
ANY_HINT = re.compile("|".join(map(re.escape, HINTS)))
SHORT = 40  # characters


def _apply_rules(text: str, lowered: str) -> str:
    held: dict[str, bool] = {}
    for hints, pattern, replacement, also in RULES:
        if _holds(hints, lowered, held) and _holds(also, lowered, held):
            text = pattern.sub(replacement, text)
    return text


def _holds(hints: Sequence[str], lowered: str, held: dict[str, bool]) -> bool:
    """Return whether the text holds one of the hints; `held` remembers what was looked for."""
    for hint in hints:
        found = held.get(hint)
        if found is None:
            found = held[hint] = hint in lowered
        if found:
            return True
    return False
