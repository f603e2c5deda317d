"""Checks what a claim says of a database, a network or another component that sent no telemetry of its own.

That a service gets no database connection does not show that the database is at fault: the words are in the evidence, the assertion is not.
"""

import re
from collections.abc import Sequence

from copilot.answers import naming
from copilot.answers.atoms import QUOTE
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind

_NAMES = (
    r"databases?|db|network|caches?|broker|message queue|message bus|disks?|storage|file ?system|hosts?|nodes?|cluster|(?:\w+ )?provider|dns|"
    r"load balancer|gateway|firewall|kernel|hypervisor|proxy|third[- ]party|upstream|cloud|hardware"
)
# The component as what acts, or is in a state: "the database was overloaded", "… that the network is the cause".
_ACTS = re.compile(
    rf"(?:^|[.;:,] |[“\"‘(]|\b(?:that|because|since|as|so|and|while|but|when|if|after|with|of|shows?|means?|indicates?) )(?:the |a |an |its |their |our |this )?(?:(?:slow|overloaded|failing|faulty|unreachable|broken|main|primary) )?"
    rf"(?P<component>{_NAMES})(?: itself| server| layer)? "
    r"(?:is|was|are|were|being|has|had|became|got|went|caus\w+|led|trigger\w+|fail\w*|crash\w*|broke|stopp\w+|slow\w*|ran|refus\w+|timed|could|cannot|did|does|appears|seems|may|might)\b",
    re.IGNORECASE,
)
# The component as what something is blamed on: "caused by the database".
_BLAMED = re.compile(
    rf"\b(?:caused by|due to|because of|blamed on|(?:root )?cause (?:is|was)|originat\w+ (?:in|from)|stems? from|lies in)"
    rf" (?:the |a |an |its |their |our )?(?:(?:slow|overloaded|failing|faulty|unreachable|broken) )?(?P<component>{_NAMES})(?! connections?| pool| quer)\b",
    re.IGNORECASE,
)
# Texts that people wrote, or files of any kind, may tell of components in their own words.
_ANY_WORDS = frozenset({Kind.PASSAGE, Kind.PRECEDENT, Kind.ATTACHED, Kind.CHANGE})


def doubt(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return why a claim about a component is not established by the cited items, "" when it is, or when it is about none."""
    if any(item.kind in _ANY_WORDS for item in items):
        return ""
    plain = QUOTE.sub(" ", text)
    for match in (*_ACTS.finditer(plain), *_BLAMED.finditer(plain)):
        component = match["component"].casefold()
        if not _is_seen(component, items, bundle):
            return f"No evidence item is about the {component} itself."
    return ""


def _is_seen(component: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> bool:
    """Return whether a service has the component's name, or a cited item says something of it as of what acts."""
    word = component.removesuffix("s")
    if any(word in service.casefold() for service in naming.all_services(bundle)):
        return True
    told = (line for item in items for line in (item.title, item.statement, *item.excerpt))
    return any(
        line.casefold().startswith(word)
        or any(found["component"].casefold() == component for found in _ACTS.finditer(line))
        for line in told
    )
