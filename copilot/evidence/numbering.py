"""Numbers evidence so that an id never means two things: a later look at the same incident goes on counting."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from copilot.evidence.bundle import Evidence, EvidenceBundle


def numbered(
    drafts: Iterable[Evidence], *, former: EvidenceBundle | None
) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """Return the drafts with ids E1…, and the former items that they no longer show.

    A draft that says word for word what a former item said keeps its id; every other one gets a number never used before.
    """
    known: Sequence[Evidence] = (*former.items, *former.earlier) if former else ()
    ids = {_says(item): item.id for item in known}
    last = max((int(item.id[1:]) for item in known), default=0)
    items = []
    for draft in drafts:
        found = ids.get(_says(draft))
        if found is None:
            last += 1
            found = f"E{last}"
        items.append(replace(draft, id=found))
    shown = {item.id for item in items}
    return tuple(items), tuple(item for item in known if item.id not in shown)


def _says(item: Evidence) -> tuple[str, str, str, str]:
    return item.kind.value, item.service, item.query, item.statement
