"""A claim: one sentence with the evidence it cites and what the checker says of it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What the checker, not the model, says. The values are also those of `data-verdict` on the page."""

    SUPPORTED = "supported"
    UNVERIFIED = "unverified"
    STRUCK = "struck"


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """One sentence. `cites` are evidence ids; `reason` says why it is not supported, "" when it is. `by_model`: a language model wrote it."""

    text: str
    cites: tuple[str, ...]
    verdict: Verdict
    reason: str = ""
    by_model: bool = False
