"""Who calls whom: learned from spans, set right by people; as a picture and as a list."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from incidents import catalog
from incidents.lifecycle import NotPossible
from incidents.models import Service, ServiceEdge

may_see = permission_required("incidents.view_incident", raise_exception=True)
may_set_up = permission_required("incidents.manage_sources", raise_exception=True)

MOST_DRAWN, MOST_LISTED = 60, 1_000
COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 200, 56, 150, 36, 12
LABEL_LENGTH = 20
Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Node:
    """One service in the picture; places are in pixels."""

    name: str
    label: str
    x: int
    y: int
    middle_x: int
    baseline: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """One call in the picture, as SVG paths."""

    path: str
    tip: str
    is_added: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Callers left, callees right."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    left_out: int
    sentence: str


@may_see
@require_GET
@never_cache
def topology(request: HttpRequest) -> HttpResponse:
    """Show the picture, the list, and what people may change."""
    now = timezone.now()
    edges = list(ServiceEdge.objects.select_related("caller", "callee").order_by("caller__name", "callee__name"))
    known = set(ServiceEdge.objects.known(now=now).values_list("pk", flat=True))
    shown = [edge for edge in edges if edge.pk in known]
    added = {(e.caller.name, e.callee.name) for e in shown if e.origin == ServiceEdge.Origin.ADDED}
    context = {
        "picture": picture({(edge.caller.name, edge.callee.name) for edge in shown}, added=added),
        "edges": [edge for edge in edges if edge.pk in known or edge.origin == ServiceEdge.Origin.REMOVED][
            :MOST_LISTED
        ],
        "services": Service.objects.values_list("name", flat=True)[:MOST_LISTED],
        "tab": "topology",
    }
    return render(request, "incidents/topology.html", context)


@may_set_up
@require_POST
def edge_add(request: HttpRequest) -> HttpResponse:
    """Say that one service calls another, though spans do not show it."""
    try:
        edge = catalog.set_call(
            request.POST.get("caller", ""),
            request.POST.get("callee", ""),
            origin=ServiceEdge.Origin.ADDED,
            now=timezone.now(),
        )
    except NotPossible as error:
        messages.error(request, str(error))
        return redirect("topology")
    messages.success(request, f"{edge} holds from now on.")
    return redirect("topology")


@may_set_up
@require_POST
def edge_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove an edge, so that spans do not bring it back, or leave it to the spans again."""
    edge = get_object_or_404(ServiceEdge.objects.select_related("caller", "callee"), pk=pk)
    if request.POST.get("do") == "learn":
        edge.origin = ServiceEdge.Origin.SPANS
        messages.success(request, f"{edge}: spans decide again.")
    else:
        edge.origin = ServiceEdge.Origin.REMOVED
        messages.success(request, f"{edge} is not believed any more.")
    edge.save(update_fields=["origin"])
    return redirect("topology")


def picture(edges: Collection[Edge], *, added: Collection[Edge] = ()) -> Picture | None:
    """Return the services in columns, each right of whoever calls it, at most 60; None without any edge."""
    if not edges:
        return None
    calls: dict[str, int] = defaultdict(int)
    for caller, callee in edges:
        calls[caller] += 1
        calls[callee] += 1
    kept = set(sorted(calls, key=lambda name: (-calls[name], name))[:MOST_DRAWN])
    drawn = sorted(
        (caller, callee) for caller, callee in edges if caller in kept and callee in kept and caller != callee
    )
    columns: dict[int, list[str]] = defaultdict(list)
    for name, depth in sorted(_depths(kept, drawn).items()):
        columns[depth].append(name)
    places = {
        name: (MARGIN + depth * COLUMN, MARGIN + row * ROW)
        for depth, names in columns.items()
        for row, name in enumerate(names)
    }
    nodes = tuple(
        Node(name, name if len(name) <= LABEL_LENGTH else f"{name[: LABEL_LENGTH - 1]}…", x, y, x + WIDTH // 2, y + 22)
        for name, (x, y) in places.items()
    )
    return Picture(
        width=2 * MARGIN + max(columns) * COLUMN + WIDTH,
        height=2 * MARGIN + max(len(names) for names in columns.values()) * ROW,
        nodes=nodes,
        arrows=tuple(_arrow(places[one], places[other], is_added=(one, other) in added) for one, other in drawn),
        left_out=len(calls) - len(kept),
        sentence=f"{len(kept)} services and {len(drawn)} calls between them; the list below names each.",
    )


def _depths(names: Collection[str], edges: Collection[Edge]) -> dict[str, int]:
    """Return how many calls from an entry each service is at most; calls in a circle end where they began."""
    depth = dict.fromkeys(names, 0)
    for _ in range(len(depth)):
        changed = False
        for caller, callee in edges:
            wanted = depth[caller] + 1
            if depth[callee] < wanted < len(depth):
                depth[callee], changed = wanted, True
        if not changed:
            break
    # A circle drives depths up without end: close the gaps.
    order = {value: place for place, value in enumerate(sorted(set(depth.values())))}
    return {name: order[value] for name, value in depth.items()}


def _arrow(start: tuple[int, int], end: tuple[int, int], *, is_added: bool) -> Arrow:
    x1, y1 = start[0] + WIDTH, start[1] + HEIGHT // 2
    x2, y2 = end[0], end[1] + HEIGHT // 2
    bend = max((x2 - x1) // 2, 24)
    return Arrow(
        path=f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2 - 6} {y2}",
        tip=f"M{x2 - 7} {y2 - 4}L{x2} {y2}L{x2 - 7} {y2 + 4}Z",
        is_added=is_added,
    )
