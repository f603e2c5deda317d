"""Which entries a question asks for: a quoted phrase word for word, else the rarer words of the question."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from copilot.evidence.attached.entries import Entry

MOST_GROUPS_LOOKED_AT = 400
LEAST_SCORE = 0.35  # of what the question's words could reach
_PHRASE = re.compile(r"[\"“'‘`]([^\"”'’`]{3,120})[\"”'’`]")
_SEARCHES = re.compile(r"\b(?:find|search|grep|look for|contain\w*|mention\w*|occurrences?)\b", re.IGNORECASE)
_NAME = re.compile(
    r"[\w.]*(?:-[\w.]*)+|\w*\d\w*"
)  # order-service-51: what the files are about rather than what to look for in them
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{2,}")
_EMPTY = frozenset(
    [
        "the",
        "and",
        "for",
        "with",
        "that",
        "this",
        "from",
        "was",
        "were",
        "has",
        "had",
        "have",
        "been",
        "are",
        "its",
        "which",
        "while",
        "when",
        "what",
        "why",
        "who",
        "how",
        "where",
        "since",
        "show",
        "find",
        "give",
        "list",
        "tell",
        "get",
        "fetch",
        "all",
        "any",
        "logs",
        "log",
        "logged",
        "pod",
        "pods",
        "namespace",
        "container",
        "service",
        "services",
        "last",
        "line",
        "lines",
        "file",
        "files",
        "summarize",
        "summarise",
        "summary",
        "please",
        "issue",
        "issues",
        "problem",
        "problems",
        "wrong",
        "healthy",
        "health",
        "there",
        "did",
        "does",
        "is",
        "it",
        "investigate",
        "alert",
        "happened",
        "happening",
        "errors",
        "error",
        "recent",
        "see",
        "look",
        "check",
        "attached",
    ]
)


def matching(question: str, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that the question asks for, in order; [] when its words single none out."""
    searches = bool(_SEARCHES.search(question))
    quoted = [phrase.strip().lower() for phrase in _PHRASE.findall(question) if searches or " " in phrase.strip()]
    if quoted:
        found = [entry for entry in entries if any(phrase in entry.text.lower() for phrase in quoted)]
        if found:
            return found
    asked = {word.lower()[:6] for word in _WORD.findall(_NAME.sub(" ", question)) if word.lower() not in _EMPTY}
    if not asked or not entries:
        return []
    return _by_words(asked, entries)


def _by_words(asked: set[str], entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries whose words make up enough of the question's, rare ones counting more (inverse document frequency)."""
    shapes: dict[str, set[str]] = {}
    seen: Counter[str] = Counter()
    for entry in entries:
        shape = re.sub(r"\d+", "0", entry.text)[:300]
        if shape not in shapes:
            shapes[shape] = {word.lower()[:6] for word in _WORD.findall(shape)} & asked
        seen.update(shapes[shape])
    weights = {word: math.log(1 + len(entries) / count) for word, count in seen.items() if count < 0.9 * len(entries)}
    total = sum(weights.values())
    if not total:
        return []
    scores = {shape: sum(weights.get(word, 0.0) for word in words) / total for shape, words in shapes.items()}
    best = max(scores.values())
    if best < LEAST_SCORE:
        return []
    return [entry for entry in entries if scores[re.sub(r"\d+", "0", entry.text)[:300]] >= 0.8 * best]
