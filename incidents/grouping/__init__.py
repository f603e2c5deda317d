"""Which incident an alert belongs to: people's rules first, then what it has in common with those that are open."""

from incidents.grouping.placing import place
from incidents.grouping.preview import Preview, judged, judgement, preview
from incidents.grouping.rules import active_rules, key_of, shadow_summary

__all__ = ["Preview", "active_rules", "judged", "judgement", "key_of", "place", "preview", "shadow_summary"]
