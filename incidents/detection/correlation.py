"""Episodes that belong together become one group, and a group that harms somebody becomes an incident.

Belonging is time and topology: the same service, services that call each other or share a neighbour, departures that overlap or
lie minutes apart. Harm is what requests show: failures, slowness, missing traffic. An odd gauge alone harms nobody; it joins a
group that it belongs to, and opens none.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidents.detection.anomaly import AnomalyGroup, Direction, Episode
from incidents.detection.impact import Harm, Impact, impact_of, title_of
from incidents.detection.signals import SignalKind, meaning, witness

# Two departures of one service belong together when they overlap or are this close.
SAME_SERVICE_GAP = timedelta(minutes=3)
# Departures of neighbours, and of services whose place in the topology is unknown, must begin this close together. That they
# overlap is not enough: one long slowness would chain every later trouble to itself.
NEIGHBOUR_GAP = timedelta(minutes=3)
# A resource often leaves its range before anybody is harmed by it (memory, a pool that fills).
RESOURCE_LEAD = timedelta(minutes=10)
# The longest group that is still one incident's worth of rows.
MOST_EPISODES = 200


@dataclass(frozen=True)
class Topology:
    """Who calls whom, as far as spans showed it."""

    neighbours: Mapping[str, frozenset[str]]
    entries: frozenset[str]

    @classmethod
    def of(cls, edges: Collection[tuple[str, str]]) -> "Topology":
        """Build it from (caller, callee) pairs. Entries are the services that nobody calls."""
        neighbours: dict[str, set[str]] = defaultdict(set)
        for caller, callee in edges:
            neighbours[caller].add(callee)
            neighbours[callee].add(caller)
        entries = {caller for caller, _ in edges} - {callee for caller, callee in edges if caller != callee}
        return cls({name: frozenset(others) for name, others in neighbours.items()}, frozenset(entries))

    def knows(self, service: str) -> bool:
        return service in self.neighbours

    def is_entry(self, service: str) -> bool:
        """Say whether users meet this service first; where the topology is unknown, every service may be met first."""
        return service in self.entries or not self.knows(service)

    def related(self, one: str, other: str) -> bool:
        """Say whether trouble can pass between two services in at most two calls; unknown places count as related."""
        if one == other or not self.knows(one) or not self.knows(other):
            return True
        return other in self.neighbours[one] or bool(self.neighbours[one] & self.neighbours[other])


def group(episodes: Sequence[Episode], *, edges: Collection[tuple[str, str]]) -> list[AnomalyGroup]:
    """Return the groups that are worth an incident, by the time they could be opened.

    `edges` are (caller, callee) pairs; without any, time alone decides which services belong together. A group opens at the
    first moment at which its episodes detected so far harm somebody, and holds every episode that belongs to it.
    """
    topology = Topology.of(edges)
    judged = [(episode, impact_of(episode, is_entry=topology.is_entry(episode.key.service))) for episode in episodes]
    harmful = sorted((pair for pair in judged if pair[1].harm > Harm.NONE), key=lambda pair: pair[0].started_at)
    odd = [pair for pair in judged if pair[1].harm is Harm.NONE]
    groups = []
    for members in _connected(harmful, topology):
        opened_at = _opens_at(members, odd)
        if opened_at is not None:
            groups.append(_group(members, _joining(odd, members, topology), opened_at))
    return sorted(groups, key=lambda found: found.opened_at)


def _belong(one: Episode, other: Episode, topology: Topology) -> bool:
    first, second = sorted((one, other), key=lambda episode: episode.started_at)
    if one.key.service == other.key.service:
        return first.ended_at is None or second.started_at - first.ended_at <= SAME_SERVICE_GAP
    return (
        topology.related(one.key.service, other.key.service) and second.started_at - first.started_at <= NEIGHBOUR_GAP
    )


_Judged = tuple[Episode, Impact]


def _connected(pairs: Sequence[_Judged], topology: Topology) -> Iterable[list[_Judged]]:
    """Yield the connected sets of episodes under `_belong`."""
    waiting = list(pairs)
    while waiting:
        members, frontier = [], [waiting.pop(0)]
        while frontier:
            current = frontier.pop()
            members.append(current)
            near = [pair for pair in waiting if _belong(current[0], pair[0], topology)]
            frontier += near
            taken = {id(pair) for pair in near}
            waiting = [pair for pair in waiting if id(pair) not in taken]
        yield sorted(members, key=lambda pair: pair[0].started_at)


def _opens_at(members: Sequence[_Judged], odd: Sequence[_Judged]) -> datetime | None:
    """Return when the episodes detected so far were first enough to open an incident; None when they never are.

    Failing requests are enough alone. Slowness or missing traffic needs two witnesses, one of them for a service as a whole,
    for one quantile of one operation wanders by itself. A resource of a service whose requests are slow is a witness too: it is
    measured apart from them. A blip is none of these.
    """
    witnesses: set[tuple[str, ...]] = set()
    service_wide = False
    slow = {episode.key.service for episode, _ in members}
    resources = [pair for pair in odd if pair[0].key.service in slow and _explains(pair[0], members)]
    standing = [(pair[0].opens_at, *pair) for pair in [*members, *resources]]
    told = [(at, episode, impact) for at, episode, impact in standing if at is not None]
    for at, episode, impact in sorted(told, key=lambda one: one[0]):
        if impact.is_witness:
            # All resources of a service are one witness: they are often one quantity in two units.
            harmful = impact.harm > Harm.NONE
            witnesses.add(witness(episode.key) if harmful else (episode.key.service,))
            service_wide = service_wide or (harmful and impact.service_wide)
        if impact.harm is Harm.OPENS or (len(witnesses) >= 2 and service_wide):
            return at
    return None


def _explains(resource: Episode, members: Sequence[_Judged]) -> bool:
    """Say whether a resource went up in the time in which its own service's requests as a whole became slow."""
    read_as = meaning(resource.key.name, resource.key.unit)
    if read_as is None or read_as.kind is not SignalKind.RESOURCE or resource.direction is not Direction.UP:
        return False
    return any(
        episode.key.service == resource.key.service
        and impact.service_wide
        and -RESOURCE_LEAD <= episode.started_at - resource.started_at <= NEIGHBOUR_GAP
        for episode, impact in members
    )


def _joining(odd: Sequence[_Judged], members: Sequence[_Judged], topology: Topology) -> list[_Judged]:
    """Return the harmless oddities at or beside the group's services in its time."""
    services = {episode.key.service for episode, _ in members}
    begins = min(episode.started_at for episode, _ in members) - RESOURCE_LEAD
    ends = [episode.ended_at for episode, _ in members]
    last = None if None in ends else max(end for end in ends if end is not None)
    joining = []
    for episode, impact in odd:
        in_time = (last is None or episode.started_at <= last) and (
            episode.ended_at is None or episode.ended_at >= begins
        )
        place = topology.related if topology.knows(episode.key.service) else str.__eq__
        if (
            in_time
            and episode.started_at >= begins
            and any(place(episode.key.service, service) for service in services)
        ):
            joining.append((episode, impact))
    return joining


def _group(members: Sequence[_Judged], joining: Sequence[_Judged], opened_at: datetime) -> AnomalyGroup:
    worst: dict[str, float] = defaultdict(float)
    for episode, impact in members:
        worst[episode.key.service] = max(worst[episode.key.service], impact.weight)
    ranked = sorted([*members, *joining], key=lambda pair: (-pair[1].weight, -pair[0].score))[:MOST_EPISODES]
    return AnomalyGroup(
        episodes=tuple(
            sorted((episode for episode, _ in ranked), key=lambda episode: (episode.started_at, episode.key))
        ),
        services=tuple(sorted(worst, key=lambda service: (-worst[service], service))),
        started_at=_began_at(members, opened_at),
        opened_at=opened_at,
        severity=min(impact.severity for _, impact in members),
        title=title_of(max(members, key=lambda pair: pair[1].weight)[0]),
    )


def _began_at(members: Sequence[_Judged], opened_at: datetime) -> datetime:
    """Return when the harm that the group opened with began, as its witnesses tell.

    A blip that was over by then belongs to the group, but is not its beginning; nor is one operation's rarest quantile.
    """
    witnesses = [episode for episode, impact in members if impact.is_witness] or [episode for episode, _ in members]
    lasting = [
        episode.started_at
        for episode in witnesses
        if episode.started_at <= opened_at and (episode.ended_at is None or episode.ended_at >= opened_at)
    ]
    return min(lasting, default=min(episode.started_at for episode in witnesses))
