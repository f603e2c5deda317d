"""The services and who calls whom, laid out left to right for an SVG: callers left, stores right."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from copilot.evidence.bundle import EvidenceBundle
from copilot.evidence.wording import percent
from copilot.views.verdict import LEAST_CHANCE, leading_suspect

NODE_WIDTH, NARROW_WIDTH, NODE_HEIGHT = 108, 82, 40
GAP_X, GAP_Y = 20, 14
MOST_NODES = 14
FEW_COLUMNS = 3
LETTER = 6.6  # pixels, on average
Edges = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Node:
    """One service's box; `sub` is a second line, "" for none."""

    name: str
    label: str
    sub: str
    x: int
    y: int
    width: int
    is_root: bool
    is_hit: bool

    @property
    def middle_x(self) -> int:
        return self.x + self.width // 2

    @property
    def baseline(self) -> int:
        return self.y + (17 if self.sub else 25)

    @property
    def sub_baseline(self) -> int:
        return self.y + 32


@dataclass(frozen=True, slots=True)
class Arrow:
    """One call, as the `d` of a path and of its tip; `is_hot` when both ends are affected."""

    path: str
    tip: str
    is_hot: bool


@dataclass(frozen=True, slots=True)
class ServiceMap:
    """A picture of `width` × `height`, and the same in a sentence. `left_out` counts services that had no room."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    sentence: str
    left_out: int


def service_map(bundle: EvidenceBundle) -> ServiceMap | None:
    """Return the map of the incident's services and their neighbours; None when no calls are known."""
    root = leading_suspect(bundle)
    spread = {one.service for one in bundle.located.spread} if bundle.located else set()
    affected = {*bundle.services, *spread, root} - {""}
    edges = sorted({(caller, callee) for caller, callee in bundle.edges if caller != callee})
    if not edges:
        return None
    kept, left_out = _nearest(edges, affected)
    edges = [edge for edge in edges if set(edge) <= kept]
    columns = _columns(edges, kept)
    width = NODE_WIDTH if len(columns) <= FEW_COLUMNS else NARROW_WIDTH
    letters = int(width / LETTER)
    height = max(len(column) for column in columns) * (NODE_HEIGHT + GAP_Y) - GAP_Y + 4
    below = _below(bundle)
    nodes = {
        name: Node(
            name=name,
            label=name if len(name) <= letters else name[: letters - 1] + "…",
            sub=below.get(name, ""),
            x=2 + place * (width + GAP_X),
            width=width,
            y=2 + round((height - 4 - len(column) * (NODE_HEIGHT + GAP_Y) + GAP_Y) / 2) + row * (NODE_HEIGHT + GAP_Y),
            is_root=name == root,
            is_hit=name in affected,
        )
        for place, column in enumerate(columns)
        for row, name in enumerate(column)
    }
    return ServiceMap(
        width=4 + len(columns) * (width + GAP_X) - GAP_X,
        height=height,
        nodes=tuple(nodes.values()),
        arrows=tuple(_arrow(nodes[a], nodes[b], is_hot=a in affected and b in affected) for a, b in edges),
        sentence=_sentence(edges, root=root),
        left_out=left_out,
    )


def _below(bundle: EvidenceBundle) -> dict[str, str]:
    """Return what stands below a service's name: how long after the first one it went wrong, or else its chance of being the cause."""
    if bundle.located is None:
        told = (h for h in bundle.hypotheses if h.verdict != "ruled out" and h.confidence >= LEAST_CHANCE)
        return {h.service: percent(h.confidence) for h in told}
    spread = bundle.located.spread
    return {one.service: f"+{round((one.at - spread[0].at).total_seconds()):,} s" for one in spread}


def _nearest(edges: Edges, affected: set[str]) -> tuple[set[str], int]:
    """Keep the affected services, then their neighbours, as far as there is room."""
    names = sorted({name for edge in edges for name in edge})
    close = {name for edge in edges if affected & set(edge) for name in edge}
    ordered = sorted(names, key=lambda name: (name not in affected, name not in close, name))
    return set(ordered[:MOST_NODES]), max(0, len(names) - MOST_NODES)


def _columns(edges: Edges, names: set[str]) -> list[list[str]]:
    """Put each service one column right of its rightmost caller; calls that run in a circle are cut at the service seen first."""
    depth = dict.fromkeys(sorted(names), 0)
    for _ in range(len(names)):
        changed = False
        for caller, callee in edges:
            if depth[callee] <= depth[caller] < len(names) - 1 and not _reaches(edges, callee, caller):
                depth[callee] = depth[caller] + 1
                changed = True
        if not changed:
            break
    columns: dict[int, list[str]] = defaultdict(list)
    for name in sorted(names):
        columns[depth[name]].append(name)
    ordered = [columns[d] for d in sorted(columns)]
    for before, column in itertools.pairwise(ordered):
        rows = {name: row for row, name in enumerate(before)}
        column.sort(key=lambda name: (_mean_row(name, edges, rows), name))
    return ordered


def _reaches(edges: Edges, start: str, goal: str) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        for caller, callee in edges:
            if caller == name and callee not in seen:
                seen.add(callee)
                waiting.append(callee)
    return False


def _mean_row(name: str, edges: Edges, rows: Mapping[str, int]) -> float:
    own = [rows[caller] for caller, callee in edges if callee == name and caller in rows]
    return sum(own) / len(own) if own else len(rows) / 2


def _arrow(caller: Node, callee: Node, *, is_hot: bool) -> Arrow:
    if callee.x > caller.x:
        x1, y1 = caller.x + caller.width, caller.y + NODE_HEIGHT // 2
        x2, y2 = callee.x - 6, callee.y + NODE_HEIGHT // 2
        bend = (x2 - x1) // 2
        return Arrow(f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}", f"m{x2 - 2} {y2 - 4} 8 4-8 4z", is_hot)
    # Same column or backwards: from edge to edge, top or bottom.
    down = callee.y > caller.y
    x1, y1 = caller.middle_x, caller.y + (NODE_HEIGHT if down else 0)
    x2, y2 = callee.middle_x, callee.y - 6 if down else callee.y + NODE_HEIGHT + 6
    tip = f"m{x2 - 4} {y2 - 2} 4 8 4-8z" if down else f"m{x2 - 4} {y2 + 2} 4-8 4 8z"
    return Arrow(f"M{x1} {y1}L{x2} {y2}", tip, is_hot)


def _sentence(edges: Edges, *, root: str) -> str:
    calls: dict[str, list[str]] = defaultdict(list)
    for caller, callee in edges:
        calls[caller].append(callee)
    said = "; ".join(f"{caller} calls {', '.join(callees)}" for caller, callees in calls.items())
    return f"{said}. {root} is the leading suspect." if root else f"{said}."
