"""Finds what tells who a person is: addresses, numbers and names, by their published formats and check digits. Plain Python, no settings.

A number that could be anything counts only where its check digits are right or a name before it says what it is. Addresses of private networks
are evidence about machines, not about people; they are not found.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from typing import NamedTuple


class Found(NamedTuple):
    """Personal data in a text: what kind, the value, and where it begins and ends."""

    kind: str
    value: str
    start: int
    end: int


class _Format(NamedTuple):
    """`hint` says cheaply whether a text may hold one; the pattern's group `v` is the value, else the whole match."""

    kind: str
    hint: re.Pattern[str]
    pattern: re.Pattern[str]
    is_right: Callable[[re.Match[str]], bool] = bool


# Not the internet's: RFC 1918, 6598, 3927, 1122, 5771, 4193, 4291.
_INTERNAL = [
    ip_network(each)
    for each in (
        *(
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
        ),
        *("224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
]
# Four numbers with dots are a version more often than an address where one of these stands before them.
_VERSION_BEFORE = re.compile(
    r"(?:(?:version|release|ver|rev)[\"':= ]{0,4}|[a-z]+/|\bv|[<>=~^]=|[~^]|[a-z]-)\s?$", re.IGNORECASE
)


def _is_public(match: re.Match[str]) -> bool:
    text = match.group()
    before = match.string[max(0, match.start() - 12) : match.start()]
    if ":" not in text and _VERSION_BEFORE.search(before):
        return False
    try:
        address = IPv4Address(text) if ":" not in text else IPv6Address(text)
    except AddressValueError:
        return False
    return not any(address in network for network in _INTERNAL if network.version == address.version)


def _is_iban(match: re.Match[str]) -> bool:
    """ISO 13616: 15 to 34 characters, and 1 is the rest of the rearranged number divided by 97."""
    text = match.group().replace(" ", "").replace("-", "")
    return 15 <= len(text) <= 34 and int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _is_phone(match: re.Match[str]) -> bool:
    """ITU-T E.164: at most 15 digits; fewer than 8 are rather an offset of a time zone or a difference."""
    return 8 <= sum(c.isdigit() for c in match.group()) <= 15


def _is_announced_phone(match: re.Match[str]) -> bool:
    value: str = match["v"]
    return 7 <= sum(c.isdigit() for c in value) <= 15


def _is_dni(match: re.Match[str]) -> bool:
    """Spain: the letter follows from the number (orden INT/2058/2008)."""
    digits = match.group()[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2").rstrip("-")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == match.group()[-1]


def _is_nir(match: re.Match[str]) -> bool:
    """France: the last two digits are 97 minus the rest of the others divided by 97."""
    digits = re.sub(r"\D", "", match.group())
    return 97 - int(digits[:13]) % 97 == int(digits[13:])


_AT, _DIGITS, _DOTTED = re.compile("@|%40"), re.compile(r"\d{3}|\+\d"), re.compile(r"\d\.\d|:[0-9A-Fa-f]{0,4}:")
_IS = r"(?:\\?[\"'])?\s{0,3}(?:=>|[=:>])\s{0,3}(?:\\?[\"'])?"
_NAMED = re.compile(
    r"name|customer|holder|patient|passenger|recipient|contact|street|address|birth|dob|tax|ssn|ident|passport|social|national|pesel|bsn|phone|mobile|msisdn|tel|fax|licen[cs]e|insurance|steuer|cpf|cnpj|aadhaar|nric|curp",
    re.IGNORECASE,
)
_PERSON = (
    r"(?:first|last|full|given|family|sur|middle|maiden|customer|patient|passenger|recipient|holder|contact|employee|buyer|billing|shipping)"
    r"[-_. ]?name|surname|(?:card|account)[-_. ]?holder(?:[-_. ]?name)?|name[-_. ]on[-_. ]card|(?:buyer|customer|patient|passenger|recipient|employee)\\?[\"']\s?:\s?\{\s?\\?[\"']name"
)
_WORD = r"[^\W\d_][\w'’.-]*+(?!\s?[=:/(])"
_A_NAME = rf"{_WORD}(?: (?!(?:and|or|has|was|is|with|from|at|in|on|for|to|not)\b){_WORD}){{0,3}}"
_FORMATS: Sequence[_Format] = (
    _Format("email", _AT, re.compile(r"(?P<v>[A-Za-z0-9._%+'-]{1,64}(?:@|%40)(?![\w.-]{1,200}\.svc\.cluster\.local\b)(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})\b")),
    _Format("iban", _DIGITS, re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b"), _is_iban),
    _Format("name", _NAMED, re.compile(rf"\b(?i:{_PERSON}){_IS}(?P<v>{_A_NAME})")),
    _Format("address", _NAMED, re.compile(rf"(?i:\b(?:street(?:[-_. ]?(?:address|name))?|address[-_. ]?line[-_. ]?\d?|(?:home|billing|shipping|ship[-_. ]to|postal|mailing|delivery|customer)[-_. ]?address)){_IS}(?P<v>(?=[^\"'\n;&|]*[A-Za-z])[^\"'\n;&|={{}}\[\]‹<>]{{4,100}})")),
    _Format("birth", _NAMED, re.compile(rf"(?i:\b(?:dob|birth[-_. ]?da(?:te|y)|date[-_. ]?of[-_. ]?birth|born)){_IS}(?P<v>\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}})")),
    _Format("id", _NAMED, re.compile(rf"(?i:\b(?:ssn|social[-_. ]security(?:[-_. ](?:number|no))?|nino|national[-_. ]?(?:id|insurance)(?:[-_. ](?:number|no))?|(?:id|identity)[-_. ]card(?:[-_. ](?:number|no))?|tax[-_. ]?(?:id|number|payer[-_. ]id)|steuer[-_. ]?id(?:nr)?|passport(?:[-_. ]?(?:number|no|id))?|pesel|bsn|cpf|cnpj|aadhaar|nric|curp|social[-_. ]insurance(?:[-_. ](?:number|no))?|driver'?s?[-_. ]?licen[cs]e(?:[-_. ]?(?:number|no))?)){_IS}(?P<v>(?=[^\s\"',;&]*\d)[A-Z0-9][A-Z0-9 ./-]{{4,20}}[A-Z0-9])")),
    _Format("phone", _NAMED, re.compile(rf"(?i:\b(?:(?:tele)?phone|mobile|cell|msisdn|tel|fax)(?:[-_. ]?(?:number|no|nr))?){_IS}(?P<v>\+?\(?\d[\d ()./-]{{5,20}}\d)"), _is_announced_phone),
    _Format("id", _DIGITS, re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w.-]\w)")),  # United States
    _Format("id", _DIGITS, re.compile(r"(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)")),  # United Kingdom
    _Format("id", _DIGITS, re.compile(r"(?<!\w)[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z](?!\w)")),  # Italy
    _Format("id", _DIGITS, re.compile(r"(?<![\w-])(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z](?!\w)"), _is_dni),
    _Format("id", _DIGITS, re.compile(r"(?<![\w.-])[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d{2} ?\d{3} ?\d{3} ?\d{2}(?![\w.-])"), _is_nir),
    _Format("phone", _DIGITS, re.compile(r"(?<![\w.+/-])(?<!\d:)(?:\+\d{1,3}[ .-]?|00[1-9]\d{0,2}[ .-])(?:\(0?\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){5,12}(?![\w:.]\w|\w)"), _is_phone),
    _Format("phone", _DIGITS, re.compile(r"(?<![\w.+/-])(?<!\d:)(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[ .-]\d{4}(?![\w.:-]\w|\w)")),  # North America
    _Format("ip", _DOTTED, re.compile(r"(?<![\w.-])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w-]|\.\w)"), _is_public),
    _Format("ip", _DOTTED, re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){1,7}(?![\w:])|(?<![\w:.])[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6}::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?(?![\w:])"), _is_public),
)  # fmt: skip


def find(text: str) -> list[Found]:
    """Return what was found, in order and without overlaps; of two that overlap the one whose kind is listed first."""
    taken: list[Found] = []
    hinted: dict[re.Pattern[str], bool] = {}
    for format_ in _FORMATS:
        if format_.hint not in hinted:
            hinted[format_.hint] = format_.hint.search(text) is not None
        if hinted[format_.hint]:
            taken += [each for each in _of(format_, text) if not any(_overlap(each, other) for other in taken)]
    return sorted(taken, key=lambda each: each.start)


def _of(format_: _Format, text: str) -> Iterator[Found]:
    group = "v" if "v" in format_.pattern.groupindex else 0
    for match in format_.pattern.finditer(text):
        if format_.is_right(match):
            value = match[group].rstrip(" .-/")
            start = match.start(group)
            yield Found(format_.kind, value, start, start + len(value))


def _overlap(one: Found, other: Found) -> bool:
    return one.start < other.end and other.start < one.end
