"""Who calls whom, read from spans."""

import numpy as np

from incidents.localization.significance import distinct
from incidents.localization.traces import TraceView

Edges = frozenset[tuple[str, str]]


def edges(view: TraceView) -> Edges:
    """Return each pair of caller and callee that occurs in the spans."""
    rows = np.flatnonzero(view.crosses)
    services = view.table.services
    width = len(services)
    pairs = view.table.service[view.parent[rows]].astype(np.int64) * width + view.table.service[rows]
    return frozenset((services[pair // width], services[pair % width]) for pair in distinct(pairs).tolist())


def downstream(service: str, *, edges: Edges) -> frozenset[str]:
    """Return every service that the service depends on, directly or not; itself only when calls form a circle."""
    found: set[str] = set()
    waiting = [service]
    while waiting:
        caller = waiting.pop()
        for one, callee in edges:
            if one == caller and callee not in found:
                found.add(callee)
                waiting.append(callee)
    return frozenset(found)
