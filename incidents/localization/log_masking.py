"""What in a log line is a value: numbers, ids, addresses, paths, times, durations and sizes, each replaced by its kind.

Words come with every digit turned into 0 (see `without_digits`): what kind of value a word is does not depend on which digits it has, and
there are far fewer words to look at that way. A value stands as <kind>; where kinds differ between lines, and for words that vary,
a template says <*>.
"""

import re
from collections.abc import Callable

_DIGITS = bytes.maketrans(b"123456789", b"000000000")
MAX_WORDS = 200_000  # remembered; then the memory starts anew

_MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
_DAY = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_PLACEHOLDER = r"<[a-z]+>"
# In order: what is longer and more particular comes first. Each is tried on one word.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("<url>", re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,;'\"<>()\[\]]+")),
    (
        "<time>",
        re.compile(
            r"(?<![\w.])(?:0000[-/.]00[-/.]00(?:[T_-]00[:.]00(?:[:.]00(?:[.,]0+)?)?)?|00:00:00(?:[.,:]0+)?)(?:Z|[+-]00:?00)?(?![\w:])"
        ),
    ),
    ("<address>", re.compile(r"(?<![\w.])/?0{1,3}(?:\.0{1,3}){3}(?:[:/]0+)?(?![\w.]*\w)")),
    (
        "<address>",  # of IPv6: with a gap, or all eight parts
        re.compile(
            r"(?<![\w:])(?=[0-9A-Fa-f:]*::|(?:[0-9A-Fa-f]+:){7})[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:[%/]\w+)?(?![\w:])"
        ),
    ),
    ("<id>", re.compile(r"\b(?:[0-9A-Fa-f]{2}[:-]){3,}[0-9A-Fa-f]{2}\b")),  # hardware addresses
    (
        "<id>",
        re.compile(
            r"(?:(?<![A-Za-z0-9>])[-+])?(?<![A-Za-z0-9])"
            r"(?:0x[0-9a-fA-F]+|(?=0*[a-fA-F]+0|[a-fA-F]*0+[a-fA-F])[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]{4,})*|0{6,}(?:-[0-9a-fA-F]{4,})+)(?![A-Za-z0-9])"
        ),
    ),
    (
        "<path>",
        re.compile(
            r"(?:(?<![\w<>*])(?:[A-Za-z]:)?(?:[\\/][\w.$%@+~*<>-]+){2,}[\\/]?|(?<![\w<>*/.])/[\w.$%@+~*-]+(?:/[\w.$%@+~*-]*)*)(?:\?[^\s\"')\]]*)?"
        ),
    ),
    ("<duration>", re.compile(r"(?<![\w<>.])[-+]?0+(?:\.0+)?(?:ns|us|µs|ms|s|sec|min|h)(?![\w])")),
    ("<size>", re.compile(r"(?<![\w<>.])0+(?:\.0+)?(?:[kKMGTP]i?)?B(?:/s)?(?![\w])")),
    (
        "<number>",
        re.compile(
            r"^[<>~](?=0)|(?<![A-Za-z0-9<>*)])[-+]?0[0.,:_/x-]*0(?:%(?!\w))?|(?:(?<![A-Za-z0-9<>*)])[-+])?0+(?:%(?!\w))?"
        ),
    ),
)
_RUN = re.compile(rf"{_PLACEHOLDER}(?:[.:,/_x%+-]*{_PLACEHOLDER})+")
# Names of machines: their last label is one that the domain name system knows, or one of a local network.
_HOST = re.compile(
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)+\.(?:com|net|org|edu|gov|mil|[a-z]{2})|[a-z0-9-]+\.(?:com|net|org|edu|gov|mil|local|localdomain|internal)"
)
_HOST_WITH_NUMBERS = re.compile(r"(?=.*<)[\w<>*-]+(?:\.[\w<>*-]+){2,}")
_TRUTH_OR_NOTHING = frozenset({"true", "false", "True", "False", "null", "NULL", "None", "nil", "NaN", "undefined"})
# Values of several words, looked for once a whole line is masked.
_DATE = re.compile(
    rf"\b(?:(?:{_DAY}),? )?(?:{_MONTH}) {_PLACEHOLDER}(?: {_PLACEHOLDER})*|\b(?:{_DAY}),? (?={_PLACEHOLDER})"
)
_TIME_UNIT = re.compile(
    r"<number> ?(?:msecs?|ms|us|usecs?|ns|secs?|seconds?|minutes?|mins?|hours?|days?|milliseconds?)\b"
)
_SIZE_UNIT = re.compile(r"<number> ?(?:[kKMGTP]i?B|bytes|Bytes|B)\b(?!\()")
_KIND = re.compile(r"<[a-z]+>")


def without_digits(line: str) -> str:
    """Return the line with every digit turned into 0."""
    # Through bytes: a table of 256 places is ten times as fast as translating characters.
    return line.encode(errors="replace").translate(_DIGITS).decode()


class Words(dict[str, str]):
    """Words, their digits turned into 0, to what they read with values replaced; found out once a word.

    `marked` are those of them that `mark` says something of: what a line's level or place in the code looks like.
    """

    def __init__(self, mark: Callable[[str], object] = lambda _: False) -> None:
        super().__init__()
        self.marked: set[str] = set()
        self._mark = mark

    def __missing__(self, word: str) -> str:
        if len(self) >= MAX_WORDS:
            self.clear()
        if self._mark(word):
            self.marked.add(word)
        masked = self[word] = mask_word(word)
        return masked


def mask_word(word: str) -> str:
    """Return the word with its values replaced by their kinds; digits must have been turned into 0."""
    if "0" not in word and "/" not in word and "\\" not in word:
        return word
    for kind, values in _KINDS:
        word = values.sub(kind, word)
    return _RUN.sub(_one_kind, word)


def _one_kind(run: re.Match[str]) -> str:
    kinds = set(_KIND.findall(run[0]))
    return kinds.pop() if len(kinds) == 1 else "<id>"


def mask_phrases(line: str) -> str:
    """Return a line of masked words with dates, durations and sizes of several words replaced too."""
    if "<" not in line:
        return line
    return _SIZE_UNIT.sub("<size>", _TIME_UNIT.sub("<duration>", _DATE.sub("<time>", line)))


def mask_name(token: str) -> str:
    """Return <host> for the name of a machine, <*> for a truth value or nothing, else the token."""
    if token in _TRUTH_OR_NOTHING:
        return "<*>"
    if "." in token and (_HOST.fullmatch(token) or _HOST_WITH_NUMBERS.fullmatch(token)):
        return "<host>"
    return token


def folded(token: str) -> str:
    """Return the token with every kind of value as <*>: lines are compared without regard to kinds."""
    return _KIND.sub("<*>", token) if "<" in token else token
