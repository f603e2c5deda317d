"""Deploys that nobody announced: a `service.version` seen for the first time after another one."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, MutableMapping

from incidents.telemetry.datamodel import ChangeRecord, Window, from_ns

Versions = Mapping[tuple[str, str], int]  # (service, version) → when it was first seen, in nanoseconds


def merge(known: MutableMapping[tuple[str, str], int], found: Versions) -> None:
    """Add what was found to what is known, keeping the earlier time."""
    for key, time_ns in found.items():
        known[key] = min(time_ns, known.get(key, time_ns))


def changes(known: Versions, *, window: Window) -> list[ChangeRecord]:
    """Return the changes of version in the window, in time order; the first version ever seen of a service is none."""
    by_service: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for (service, version), time_ns in known.items():
        by_service[service].append((time_ns, version))
    found = []
    for service, seen in by_service.items():
        seen.sort()
        for (_, before), (time_ns, after) in itertools.pairwise(seen):
            if window.start_ns <= time_ns < window.end_ns:
                found.append(ChangeRecord(from_ns(time_ns), service, f"{service} {before} → {after}", before, after))
    return sorted(found)
