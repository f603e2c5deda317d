"""Which of an incident's services a text names."""

import re
from functools import lru_cache

from copilot.evidence.bundle import EvidenceBundle

# After a service's name: "database connections" are somebody else's connections to it.
_OF_ANOTHER = r"(?!\s(?:connections?|pools?|quer(?:y|ies)|calls?|clients?|limits?)\b)"


def services_in(text: str, bundle: EvidenceBundle) -> list[str]:
    """Return the incident's services that the text names, longest names first."""
    return list(_found(text, frozenset(all_services(bundle))))


@lru_cache(maxsize=2_000)
def _found(text: str, services: frozenset[str]) -> tuple[str, ...]:
    found, rest = [], text
    for service in sorted(services, key=lambda name: (-len(name), name)):
        if names(rest, service):
            found.append(service)
            rest = name(service).sub(" ", rest)
    return tuple(found)


def all_services(bundle: EvidenceBundle) -> set[str]:
    """Return every service that the bundle knows."""
    ends = {end for edge in bundle.edges for end in edge}
    return {
        *bundle.services,
        *ends,
        *(item.service for item in bundle.items),
        *(h.service for h in bundle.hypotheses),
    } - {""}


def names(text: str, service: str) -> bool:
    """Return whether the text names the service, as a word of its own."""
    return bool(name(service).search(text))


@lru_cache(maxsize=2_000)
def name(service: str) -> re.Pattern[str]:
    """Return the pattern of a service's name in a text."""
    return re.compile(rf"(?<![\w-]){re.escape(service)}(?![\w-]){_OF_ANOTHER}", re.IGNORECASE)
