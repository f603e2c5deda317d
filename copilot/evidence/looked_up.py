"""Evidence that was looked up for one answer: numbered with the incident's own, so that its citations open and stay."""

from collections.abc import Iterable
from dataclasses import replace

from copilot.evidence import hiding
from copilot.evidence.bundle import Evidence, EvidenceBundle
from copilot.evidence.numbering import numbered
from copilot.privacy.pseudonyms import Pseudonyms

MOST = 400  # items that an incident keeps beside those of its newest look


def added(
    bundle: EvidenceBundle, drafts: Iterable[Evidence], pseudonyms: Pseudonyms
) -> tuple[EvidenceBundle, tuple[Evidence, ...]]:
    """Return the bundle with the drafts among its earlier items, and these with their ids; one that is known keeps its own.

    Personal data in them become tokens. Raises HidingFailed.
    """
    hidden = [hiding.item(draft, pseudonyms) for draft in drafts]
    items, _ = numbered(hidden, former=bundle)
    new = {item.id: item for item in items if bundle.get(item.id) is None}
    return replace(bundle, earlier=(*bundle.earlier, *new.values())), items


def is_full(bundle: EvidenceBundle) -> bool:
    """Say whether no more can be looked up for the incident."""
    return len(bundle.earlier) >= MOST
