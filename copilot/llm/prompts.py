"""Prompts are files in templates/prompts, a folder for each version, rendered without HTML escaping. Untrusted text goes in between two markers that it cannot know."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import Context, Engine
from django.utils.crypto import salted_hmac

FOLDER = Path(settings.BASE_DIR) / "templates" / "prompts"
# Words of up to some six letters, each digit and each mark are about one token in the vocabularies of current models.
_TOKEN = re.compile(r"[^\W\d_]{1,7}|\d|[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent: the stable part first, so that it stays in the provider's cache. `schema` constrains the reply to that JSON."""

    system: str
    user: str
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 400
    version: str = ""

    @property
    def prefix_key(self) -> str:
        """Return what is the same for prompts with the same stable part."""
        return sha256(self.system.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class PromptBudget:
    """How a model is prompted. Tokens: `whole` in all, `tail` in what follows the part that stays cached and is read anew each time."""

    whole: int
    tail: int
    version: str = "1"  # of the prompt's files


@lru_cache(maxsize=1)
def _engine() -> Engine:
    return Engine(dirs=[str(FOLDER)], autoescape=False, debug=False)


def render(name: str, **values: object) -> str:
    """Return the prompt file with its values. Raises TemplateDoesNotExist."""
    return _engine().get_template(name).render(Context(values, autoescape=False)).strip()


def versions(prompt: str) -> tuple[str, ...]:
    """Return the versions that there are of a prompt, oldest first."""
    return tuple(sorted(folder.name for folder in (FOLDER / prompt).iterdir() if folder.is_dir()))


@lru_cache(maxsize=32)
def identity(prompt: str, version: str) -> str:
    """Return what is recorded with an answer: the version, and a hash of its files, so that no edit goes unnoticed: "1-5f3a09"."""
    files = sorted((FOLDER / prompt / version).glob("*.txt"))
    return f"{version}-{sha256(b''.join(file.read_bytes() for file in files)).hexdigest()[:6]}"


def marker(identity: str) -> str:
    """Return the word that fences untrusted text: 12 letters that nobody can guess without the secret key, the same for the same identity.

    One for each gathering of evidence rather than for each request: with another word in every request no provider could keep the prompt's
    long, stable part cached. Whoever learns a word from an answer gains nothing: what is written after that is gathered under a new one.
    """
    number = int(salted_hmac("copilot.llm.prompts.marker", identity, algorithm="sha256").hexdigest(), 16)
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(12))


def estimate_tokens(text: str) -> int:
    """Return about how many tokens the text has; for English with numbers within some 10 % of what models count."""
    return len(_TOKEN.findall(text))
