"""Pinned evidence: what an answer was written from and checked against, kept as it was, each different bundle once."""

import json
from hashlib import sha256

from copilot.evidence import bundle as bundles
from copilot.evidence.bundle import EvidenceBundle
from copilot.models import PinnedEvidence


def pin(bundle: EvidenceBundle) -> PinnedEvidence:
    """Keep a bundle and return its row; one that is kept already is returned."""
    content = bundles.to_json(bundle)
    name = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    row, _ = PinnedEvidence.objects.get_or_create(sha256=name, defaults={"bundle": content})
    return row
