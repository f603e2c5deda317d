"""Groups masked log lines into templates: which words vary within an event, and which tell two events apart.

Lines of equal length are divided at one place after another. A place divides events when it takes few words; it varies within one
event when it takes many, or when values stand among its words. As long as lines have little in common, they are divided anyway.
Related to: Makanju et al. 2009 (IPLoM), Yu et al. 2023 (Brain).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

Shape = tuple[str, ...]  # a line's tokens, values folded to <*>

# A place with at most so many words divides; with more it varies. Anything from 3 to 5 gives the same groups on the public data.
FEW = 4
# Lines have enough in common to be one event when this share of their places with words is equal; 0.5 to 0.7 give the same groups.
COMMON = 0.6
# Candidates for a division that are looked at closely: the places with the fewest words, and the first ones, where events differ most.
CANDIDATES, FIRST = 4, 3
# Two places vary independently when nearly every combination of their words occurs, of enough that this is no accident.
NEARLY_EVERY, LEAST_COMBINATIONS = 0.7, 6
LOOKED_AT = 400  # lines that are enough to choose a division by
# "for user alice", "by host a": a name follows. Only where it varies, so no harm is done to "user unknown".
_BEFORE_NOUN = frozenset({"as", "by", "for", "from", "in", "invalid", "of", "on", "to", "with"})
_NOUN = frozenset(
    [
        "account",
        "bucket",
        "client",
        "container",
        "container",
        "database",
        "device",
        "directory",
        "disk",
        "domain",
        "file",
        "group",
        "host",
        "hostname",
        "image",
        "index",
        "instance",
        "interface",
        "job",
        "key",
        "module",
        "namespace",
        "node",
        "object",
        "partition",
        "peer",
        "pod",
        "process",
        "queue",
        "region",
        "role",
        "server",
        "service",
        "session",
        "table",
        "task",
        "thread",
        "topic",
        "user",
        "username",
        "volume",
        "worker",
        "zone",
    ]
)
VALUE = "<*>"


def group(shapes: Sequence[Shape]) -> list[int]:
    """Return a group number for each shape. Shapes must be distinct; the numbers count up from 0 in no particular order."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for place, shape in enumerate(shapes):
        by_length[len(shape)].append(place)
    numbers = [0] * len(shapes)
    count = 0
    for rows in by_length.values():
        for part in _divided(rows, shapes):
            for row in part:
                numbers[row] = count
            count += 1
    return numbers


def _divided(rows: list[int], shapes: Sequence[Shape]) -> Iterator[list[int]]:
    waiting = [rows]
    while waiting:
        part = waiting.pop()
        place = _dividing_place(part, shapes) if len(part) > 1 else None
        if place is None:
            yield part
            continue
        by_word: dict[str, list[int]] = defaultdict(list)
        for row in part:
            by_word[shapes[row][place]].append(row)
        waiting.extend(by_word.values())


def _dividing_place(rows: Sequence[int], shapes: Sequence[Shape]) -> int | None:
    """Return the place at which to divide the rows, None when they are one event."""
    columns = [set(column) for column in zip(*(shapes[row] for row in rows), strict=True)]
    varying = [place for place, words in enumerate(columns) if len(words) > 1]
    if not varying:
        return None
    speaking = [words for words in columns if any(_speaks(word) for word in words)]
    alike = sum(len(words) == 1 for words in speaking) >= COMMON * len(speaking)
    free = [place for place in varying if not (alike and _takes_values(place, columns))]
    if not free:
        return None
    by_words = sorted(free, key=lambda place: (len(columns[place]), place))
    if alike:
        few = [place for place in by_words if len(columns[place]) <= FEW]
        return few[0] if few and not _independent(few, rows, shapes, columns) else None
    candidates = dict.fromkeys(by_words[:CANDIDATES] + [place for place in free if place < FIRST])
    some = [shapes[row] for row in rows[:: 1 + len(rows) // LOOKED_AT]]
    return min(candidates, key=lambda place: (_left_over(some, place), place))


def _speaks(word: str) -> bool:
    return any(letter.isalnum() for letter in word)


def _takes_values(place: int, columns: Sequence[set[str]]) -> bool:
    """Say whether values stand at this place: plain ones, or inside at least half of its words, or names of something just named."""
    words = columns[place]
    if VALUE in words or 2 * sum(VALUE in word for word in words) >= len(words):
        return True
    return place >= 2 and columns[place - 1] <= _NOUN and columns[place - 2] <= _BEFORE_NOUN


def _independent(
    places: Sequence[int], rows: Sequence[int], shapes: Sequence[Shape], columns: Sequence[set[str]]
) -> bool:
    """Say whether two places vary each for itself: settings of one event do, words that name the event go together."""
    first, *rest = places
    for other in rest:
        possible = len(columns[first]) * len(columns[other])
        seen = len({(shapes[row][first], shapes[row][other]) for row in rows})
        if possible >= LEAST_COMBINATIONS and seen >= NEARLY_EVERY * possible:
            return True
    return False


def _left_over(shapes: Sequence[Shape], place: int) -> int:
    """Return how many different words are left in all parts together once the shapes are divided: the fewer, the better."""
    return len({(shape[place], at, word) for shape in shapes for at, word in enumerate(shape)})


def common(shapes: Sequence[Shape]) -> list[str]:
    """Return the words that all shapes share, <*> where they differ."""
    return [column[0] if len(set(column)) == 1 else VALUE for column in zip(*shapes, strict=True)]


def many(contents: Counter[Shape], *, at_least: int) -> bool:
    """Say whether what stands between two brackets or quotes is a value: many contents, of different lengths."""
    return len(contents) >= at_least and len({len(content) for content in contents}) > 1
