"""Scores what the ranking says beyond the service: which kind of fault, and where within the service."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from incidents.localization.suspects import Family, Inner, Ranking

# What may be said of a fault injected as this. An exception thrown and a return too early are both code that does something else:
# which of the two is an error depends on whether somebody reports it.
EXPECTED: Mapping[str, frozenset[Family]] = {
    "cpu": frozenset({Family.RESOURCE}),
    "memory": frozenset({Family.RESOURCE}),
    "network": frozenset({Family.LATENCY}),
    "delay": frozenset({Family.LATENCY}),
    "error": frozenset({Family.ERROR}),
    "code": frozenset({Family.ERROR, Family.CODE_PATH}),
}
_LINE_NUMBER = re.compile(r"#\d+$")


@dataclass(frozen=True)
class Diagnosis:
    """Of the cases with one injected fault in one system: what was said of the true service, and how often that was right.

    `family_right` and `place_right` count cases; `families` and `places` are how many cases have a known one.
    """

    cases: int
    said: Mapping[str, int]
    families: int
    family_right: int
    places: int
    place_right: int


def diagnoses(cases: Iterable[tuple[str, Ranking, Mapping[str, Any]]]) -> Iterator[tuple[str, Diagnosis]]:
    """Yield for each "system / injected fault" what was said of the service that is the cause. Cases are (system, ranking, truth)."""
    groups: dict[str, list[tuple[Family, Inner, Mapping[str, Any]]]] = {}
    for system, ranking, truth in cases:
        suspect = next((one for one in ranking.suspects if one.service == truth["service"]), None)
        said = (suspect.family, suspect.inner) if suspect else (Family.UNCLEAR, Inner())
        groups.setdefault(f"{system} / {truth.get('fault_type', 'any fault')}", []).append((*said, truth))
    for name in sorted(groups):
        held = groups[name]
        located = [(inner, truth) for _, inner, truth in held if _place(truth)]
        yield (
            name,
            Diagnosis(
                cases=len(held),
                said=Counter(family.value for family, _, _ in held),
                families=sum(str(truth.get("fault_family")) in EXPECTED for _, _, truth in held),
                family_right=sum(
                    family in EXPECTED.get(str(truth.get("fault_family")), ()) for family, _, truth in held
                ),
                places=len(located),
                place_right=sum(is_place(inner, truth) for inner, truth in located),
            ),
        )


def _place(truth: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the truth calls the place: a metric's name, or the log statements around the faulty code."""
    inner = truth.get("inner") or {}
    named = (inner.get("bundle_metric"), inner.get("after"), inner.get("before"))
    return tuple(str(name) for name in named if name)


def is_place(inner: Inner, truth: Mapping[str, Any]) -> bool:
    """Say whether the place found is the true one: the same metric, a connection for a slow network, or a log statement of the same
    source file. An operation alone does not count where the truth is a statement."""
    if truth.get("fault_family") == "network":
        return inner.kind == "connection"
    return any(_LINE_NUMBER.sub("#", name) in inner.name for name in _place(truth))
