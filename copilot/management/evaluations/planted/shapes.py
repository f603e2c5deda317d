"""What a corpus of planted things is made of, and how random values are drawn: the same seed gives the same corpus."""

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
BASE64 = ALNUM + "+/"
URL_SAFE = ALNUM + "-_"


@dataclass(frozen=True, slots=True)
class Value:
    """Something to plant. `names` are what may stand before it; `stands_alone` says that its form or check digits tell it without a name."""

    kind: str
    text: str
    names: tuple[str, ...] = ()
    stands_alone: bool = True
    secret: str = ""  # the part that must go, where that is not all

    @property
    def trace(self) -> str:
        """Return the part that must go."""
        return self.secret or self.text


@dataclass(frozen=True, slots=True)
class Planted:
    """A line with a value in it. `traces` are strings of which none may be left in what a model reads; `way` says how it is written."""

    kind: str
    way: str
    line: str
    traces: tuple[str, ...]


class Draw:
    """Random values from a seed."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)  # noqa: S311  # the same corpus each time; nothing is protected by it

    def of(self, alphabet: str, length: int) -> str:
        """Return so many characters of an alphabet."""
        return "".join(self.random.choice(alphabet) for _ in range(length))

    def one(self, choices: Sequence[str]) -> str:
        """Return one of the choices."""
        return self.random.choice(choices)

    def digits(self, length: int) -> str:
        """Return so many digits, the first not 0."""
        return self.random.choice("123456789") + self.of(string.digits, length - 1)


def luhn(start: str) -> str:
    """Return a number with its check digit (ISO/IEC 7812-1)."""
    doubled = (int(d) * 2 if i % 2 == 0 else int(d) for i, d in enumerate(reversed(start)))
    return start + str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def iban(country: str, account: str) -> str:
    """Return an IBAN with its check digits (ISO 13616)."""
    number = int("".join(str(int(c, 36)) for c in f"{account}{country}00"))
    return f"{country}{98 - number % 97:02}{account}"
