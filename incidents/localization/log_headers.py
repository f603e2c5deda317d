"""What stands before a line's message: time, host, process, level, component. Learned from the lines themselves, for each source apart.

Raw lines of one program begin alike: a time or a level always stands at the same place. All up to the last such place is header,
and so is what follows as long as it is always the same, a number, a name of a component or a bracketed context.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from incidents.localization.log_masking import without_digits

LEVELS = frozenset(
    {"TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "SEVERE", "CRITICAL", "FATAL", "PANIC"}
)
LOOKED_AT, LONGEST_LOOKED_AT = 300, 400  # lines that a header is learned from, and characters of each
LEAST_LINES = 5  # below, nothing can be said
LONGEST = 14  # words of a header
# A place belongs to the header when it is of one kind in this share of the lines; some programs break their own format now and then.
NEARLY_ALL = 0.9
MOSTLY = 0.75  # of the lines name a component; others do without

_TIME = re.compile(
    r"\W*(?:0{1,4}[-/.:]00?[-/.:]00?\S*|0{6,}(?:\.0+)?|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*)\W*"
)
_NUMBER = re.compile(r"[\[(<#]*(?:0x)?[0-9a-fA-F]*0[0-9a-fA-F-]*[\])>,:]*")
# "sshd(pam_unix)[0000]:" and "nova.compute.manager", "c.s.Contacts#00".
_COMPONENTS = (
    re.compile(r"[A-Za-z_][\w.$/@*-]*(?:\([^()\s]*\))?(?:\[[^\]\s]*\])?:").fullmatch,
    re.compile(r"[A-Za-z_][\w$-]*(?:\.[\w$-]+)+(?:[#:]0+)?|[A-Za-z_][\w$.-]*\[[^\]\s]*\]:?").fullmatch,
)
MOST_BETWEEN = 4  # words between time or level and the message


def _is_level(word: str) -> bool:
    return word.strip("[]()|:,<>").upper() in LEVELS


@dataclass(frozen=True)
class Header:
    """How many words to leave out at the start, and whether a component or a bracketed context follows them. `bars`: `|` parts words."""

    words: int = 0
    bars: bool = False
    component: Callable[[str], object] | None = None
    context: bool = False

    def end(self, words: Sequence[str]) -> int:
        """Return where the message of a line begins among its words."""
        if not self.words:
            return 0
        end = self.words
        if self.component is not None and len(words) > end and self.component(words[end]):
            end += 1
        if self.context and len(words) > end and words[end].startswith("["):
            closing = (at for at in range(end, min(len(words), end + LONGEST)) if "]" in words[at])
            end = next(closing, end - 1) + 1
        return end


NONE = Header()


Columns = Sequence[Counter[str]]  # how often each word stands at each place


def learn(lines: Sequence[str]) -> Header:
    """Return the header that nearly all lines begin with, `NONE` where they have none in common."""
    some = [without_digits(line[:LONGEST_LOOKED_AT]) for line in lines[:: 1 + len(lines) // LOOKED_AT] if line.strip()]
    if len(some) < LEAST_LINES:
        return NONE
    bars = sum(line.split(None, 1)[0].count("|") >= 2 for line in some) >= NEARLY_ALL * len(some)
    # The last word of a line is never header: something must be left to say.
    rows = [(line.replace("|", " ") if bars else line).split(None, LONGEST + 1)[:-1] for line in some]
    columns = [Counter(row[at] for row in rows if len(row) > at) for at in range(LONGEST + 1)]
    last = max((at for at in range(LONGEST) if _share(columns, at, len(rows), _anchors) >= NEARLY_ALL), default=-1)
    if last < 0:
        return NONE
    words = _behind_numbers_and_names(columns, last + 1, len(rows))
    component = _component(columns, words, len(rows))
    behind = words + (component is not None)
    context = _share(columns, behind, len(rows), lambda word: word.startswith("[")) >= NEARLY_ALL
    return Header(words, bars, component, context)


def _behind_numbers_and_names(columns: Columns, start: int, lines: int) -> int:
    """Return where the header ends: behind process numbers, and behind a word that never changes (a host) if a component follows."""
    end = start
    for at in range(start, min(start + MOST_BETWEEN, LONGEST)):
        if _component(columns, at, lines) is not None:
            return at
        if _share(columns, at, lines, _NUMBER.fullmatch) >= NEARLY_ALL:
            end = at + 1
        elif max(columns[at].values(), default=0) < NEARLY_ALL * lines:
            break
    return end


def _component(columns: Columns, at: int, lines: int) -> Callable[[str], object] | None:
    return next((kind for kind in _COMPONENTS if _share(columns, at, lines, kind) >= MOSTLY), None)


def _anchors(word: str) -> bool:
    return bool(_TIME.fullmatch(word)) or _is_level(word)


def _share(columns: Columns, at: int, lines: int, kind: Callable[[str], object]) -> float:
    return sum(count for word, count in columns[at].items() if kind(word)) / lines
