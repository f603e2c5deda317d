"""Takes what strangers wrote out of recorded text: a model is told that it is there, how long it is and whether it is the same, not what it says.

What a caller sends comes into logs in known places: the query and path of a request line, the user agent and referrer behind it, fields that
are named after it. Words there are an attacker's to choose and hardly ever tell a cause. A short value without words stays: it is a route, a
version, a code.
"""

import re

from django.utils.crypto import salted_hmac

SHORT = 40  # characters
FEW = 4  # words
_PLACEHOLDER = re.compile(r"[<‹]user-input len=\d+ hash=[0-9a-f]{6}[>›]")
_VERBS = r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT)"
_KEYS = (
    r"(?:user[-_. ]?agent(?:\.original)?|referr?er|(?:http\.|url\.|request[-_.]?)?(?:uri|url|target|query(?:[-_.]?string)?|path|full|body|params?|payload)"
    r"|search(?:[-_.]?term)?|comment|form|headers?|input|x-[\w-]{2,40})"
)
# Between straight quotes the whole request line is the caller's, and its end may have been cut off; elsewhere what stands before "HTTP/", or a word.
_QUOTED_REQUEST = re.compile(rf"(\"{_VERBS} )(?P<v>/[^\"”]*?)(?= HTTP/\d|\"|”|$)")
_REQUEST = re.compile(rf"(\b{_VERBS} )(?P<v>/(?:.{{0,2000}}?(?= HTTP/\d)|[^\s\"”]*))")
_BEHIND = re.compile(r"(\" \d{3} (?:\d+|-) )(?P<v>\".*?)(?=” |”$|$)")
_FIELD = re.compile(
    rf"(?<![\w.-])({_KEYS}\\?[\"']?\s?[=:]\s?)(?:(?P<q>\\?[\"'])(?P<v>(?:(?!(?P=q))[^”])*)(?P<e>(?P=q)?)|(?P<b>[^\s,;}}\])”]+))",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(?<=[\w/])\?(?P<v>[\w%.~+-]{1,40}=[^\s\"'<>”]*)")


def abstracted(text: str) -> str:
    """Return the text with `<user-input len=… hash=…>` where a caller's words stand; `len` in characters, the same `hash` for the same words.

    Doing it again changes nothing.
    """
    parts = _PLACEHOLDER.split(text)
    kept = (*_PLACEHOLDER.findall(text), "")
    return "".join(_abstracted(part) + placeholder for part, placeholder in zip(parts, kept, strict=True))


def _abstracted(text: str) -> str:
    text = _BEHIND.sub(lambda found: found[1] + _put(found["v"]), text)
    text = _QUOTED_REQUEST.sub(lambda found: found[1] + _put(found["v"]), text)
    text = _REQUEST.sub(lambda found: found[1] + _put(found["v"]), text)
    text = _FIELD.sub(_field, text)
    return _QUERY.sub(lambda found: "?" + _placeholder(found["v"]), text) if "?" in text else text


def told(text: str) -> str:
    """Return a model's text with plain words where it repeats a placeholder."""
    return _PLACEHOLDER.sub("(what the caller sent)", text)


def _field(found: re.Match[str]) -> str:
    quote, value = found["q"] or "", found["v"] if found["b"] is None else found["b"]
    return f"{found[1]}{quote}{_put(value)}{found['e'] or ''}"


def _put(value: str) -> str:
    words = re.findall(r"[^\W\d_]{2,}", value)
    is_plain = len(value) <= SHORT and len(words) <= FEW and not re.search(r"[\s?&%\\]", value.strip('"- '))
    return value if is_plain or _PLACEHOLDER.fullmatch(value) else _placeholder(value)


def _placeholder(value: str) -> str:
    digest = salted_hmac("copilot.llm.user_input", value, algorithm="sha256").hexdigest()[:6]
    return f"<user-input len={len(value)} hash={digest}>"
