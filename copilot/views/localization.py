"""The localization panel of an incident's page: suspects, how sure, where, for and against, the spread, and what to check next."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from copilot.evidence.bundle import EvidenceBundle
from copilot.evidence.located import Cleared, LocatedSuspect
from copilot.evidence.wording import clock, percent, span_of_time
from copilot.views.service_map import ServiceMap, service_map
from incidents.localization.confidence import NAMED

# A second suspect with half of the first one's chance or more is as good a bet as it to whoever must act.
COMPARABLE = 0.5
_FAMILIES = {
    "resource": "A resource ran out",
    "latency": "Became slow",
    "error": "Fails",
    "code path": "Does something else",
    "traffic": "Asked for more or less",
    "unclear": "Kind not clear",
}


@dataclass(frozen=True, slots=True)
class ShownSuspect:
    """One suspect; `percent` is both the gauge's width and the number beside it."""

    service: str
    percent: str
    is_named: bool
    why: str
    family: str
    place_kind: str
    place: str
    operation: str
    since: str
    supporting: tuple[str, ...]
    opposing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownDeparture:
    """When a service went wrong: the clock, and how long after the first one."""

    service: str
    at: str
    after: str
    what: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Plain values for `copilot/incident/localization.html`."""

    verdict: str
    rests_on: str
    suspects: tuple[ShownSuspect, ...]
    cleared: tuple[Cleared, ...]
    spread: tuple[ShownDeparture, ...]
    map: ServiceMap | None
    next_check: str
    next_check_title: str


def panel(bundle: EvidenceBundle) -> Panel | None:
    """Return the panel; None for an investigation that was pinned before there was one."""
    located = bundle.located
    if located is None:
        return None
    known = {item.id for item in bundle.items}
    return Panel(
        verdict=_verdict(located.suspects, is_named=located.is_named, lead=located.lead),
        rests_on=_rests_on(located.missing, located.requests),
        suspects=tuple(
            _shown(one, is_named=located.is_named and place == 0, known=known)
            for place, one in enumerate(located.suspects)
        ),
        cleared=tuple(
            Cleared(one.service, one.reason, tuple(cite for cite in one.cites if cite in known))
            for one in located.cleared
        ),
        spread=tuple(
            ShownDeparture(one.service, clock(one.at), _after(one.at - located.spread[0].at), one.what)
            for one in located.spread
        ),
        map=service_map(bundle),
        next_check=bundle.next_check,
        next_check_title="What would confirm it" if located.is_named else "What would separate the first two",
    )


def _verdict(suspects: tuple[LocatedSuspect, ...], *, is_named: bool, lead: float) -> str:
    if not suspects:
        return "No cause is named: nothing beyond the usual was found in any service."
    first, rivals = suspects[0], suspects[1:]
    ahead = f"{lead * 100:.0f} points ahead of {rivals[0].service}" if rivals else "and no other service is suspected"
    if is_named:
        return f"{first.service} is the cause with a chance of {percent(first.confidence)}, {ahead}."
    if rivals and rivals[0].confidence >= COMPARABLE * first.confidence:
        return f"No cause is named: the evidence does not separate {first.service} ({percent(first.confidence)}) from {rivals[0].service} ({percent(rivals[0].confidence)})."
    return f"No cause is named: {first.service} comes first, {ahead}, but a chance of {percent(first.confidence)} is less than the {percent(NAMED)} that it takes."


def _rests_on(missing: tuple[str, ...], requests: int) -> str:
    compared = f"{requests:,} requests compared" if requests else "no requests compared"
    return f"{compared}; no {' and no '.join(missing)}" if missing else compared


def _shown(suspect: LocatedSuspect, *, is_named: bool, known: Collection[str]) -> ShownSuspect:
    return ShownSuspect(
        service=suspect.service,
        percent=percent(suspect.confidence),
        is_named=is_named,
        why=suspect.why,
        family=_FAMILIES.get(suspect.family, suspect.family),
        place_kind=suspect.place_kind,
        place=suspect.place,
        operation=suspect.operation if suspect.operation != suspect.place else "",
        since=clock(suspect.since) if suspect.since else "",
        supporting=tuple(cite for cite in suspect.supporting if cite in known),
        opposing=tuple(cite for cite in suspect.opposing if cite in known),
    )


def _after(passed: timedelta) -> str:
    return f"{span_of_time(passed)} later" if round(passed.total_seconds()) else "at first"
