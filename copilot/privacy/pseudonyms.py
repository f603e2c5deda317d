"""Stand-ins for personal data: the same value gets the same token, so that "the same caller five times" stays true. Plain Python."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from incidents.intake import personal_data

# The kinds of `personal_data.find`; a token names the kind, so that a reader knows what stood there.
TOKEN = re.compile(r"‹(email|iban|name|address|birth|id|phone|ip)-(\d{1,4})›")
MOST = 500  # tokens of an incident; what comes later is hidden for good


class HidingFailed(Exception):
    """Personal data could not be hidden. The message says why and never what."""


@dataclass
class Pseudonyms:
    """The stand-ins of one incident, in memory. `remember` numbers each new one before it is used, (kind, value) to number; it may raise HidingFailed.

    Without it they are numbered from `offset` on.
    """

    remember: Callable[[str, str], int] | None = None
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    offset: int = 0

    def put(self, kind: str, number: int, value: str) -> str:
        """Add a stand-in that is known already and return it."""
        token = f"‹{kind}-{number}›"
        self.tokens[kind, folded(kind, value)] = token
        self.values[token] = value
        return token

    def hide(self, text: str) -> str:
        """Return the text with personal data replaced by tokens. Raises HidingFailed."""
        parts, at = [], 0
        for found in personal_data.find(text):
            parts += [text[at : found.start], self._token(found)]
            at = found.end
        return "".join((*parts, text[at:])) if parts else text

    def reveal(self, text: str) -> str:
        """Return the text with tokens replaced by what they stand for: for eyes that may see it, never for a model."""
        return TOKEN.sub(lambda token: self.values.get(token.group(), token.group()), text)

    def _token(self, found: personal_data.Found) -> str:
        known = self.tokens.get((found.kind, folded(found.kind, found.value)))
        if known is not None:
            return known
        if len(self.values) >= MOST:
            return f"‹{found.kind}›"
        if self.remember is not None:
            number = self.remember(found.kind, found.value)
        else:
            number = self.offset + 1 + sum(kind == found.kind for kind, _ in self.tokens)
        return self.put(found.kind, number, found.value)


def folded(kind: str, value: str) -> str:
    """Return what two ways to write the same value have in common."""
    if kind in ("phone", "iban", "id"):
        return re.sub(r"[^0-9a-z+]", "", value.lower())
    return value.replace("%40", "@").casefold()
