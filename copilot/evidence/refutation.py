"""Tries to refute the leading suspect: each attempt asks for a fact that could not be so if the fault were there. Plain Python, no model."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from copilot.evidence.assessment import Attempt, Result
from copilot.evidence.bundle import Evidence, Kind, Role
from copilot.evidence.findings import said
from copilot.evidence.wording import clock, joined, quantity, span_of_time
from incidents.detection.anomaly import Episode
from incidents.localization.suspects import Family, Finding, Modality, Ranking, Suspect
from incidents.localization.topology import downstream

# Below this a finding is what healthy systems show now and then.
TELLING = 1.0
# Two onsets closer than this cannot be put in order: most series have a point a minute, and detection waits for a second one.
SAME_TIME = timedelta(minutes=2)
RECOVERS_WITHIN = timedelta(minutes=5)  # what the leader caused, once the leader is well
CHANGED_BEFORE = timedelta(minutes=15)
FAR_WORSE = 3.0  # times the strength of what was found at the leader
COMPARABLE = 0.5  # of the leader's confidence, or of its strongest finding
MOVED = 1.5  # times as much, or as little, as before
AS_OFTEN = 0.5  # of the share of points since the incident began that went as far
COMPARED_POINTS = 5  # before the incident; fewer show nothing
HIGHER = 1.25  # times the usual traffic
NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Case:
    """What the attempts look at. `episodes` are the anomalies that the incident is made of; `end` is how far the evidence reaches (UTC)."""

    ranking: Ranking
    items: Sequence[Evidence]
    episodes: Sequence[Episode]
    start: datetime
    end: datetime

    @property
    def leader(self) -> Suspect:
        """Return the first suspect; there must be one."""
        return self.ranking.suspects[0]

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Return the services besides the leader that left their usual range, in the order in which they did."""
        began = self.departed_at
        return tuple(sorted((name for name in began if name != self.leader.service), key=lambda name: began[name]))

    @cached_property
    def departed_at(self) -> dict[str, datetime]:
        """Return when each service first left its usual range: by its anomalies, by its findings where it has none."""
        found: dict[str, datetime] = {}
        for episode in self.episodes:
            known = found.get(episode.key.service, episode.started_at)
            found[episode.key.service] = min(known, episode.started_at)
        for suspect in self.ranking.suspects:
            times = [one.onset_at for one in telling(suspect) if one.onset_at]
            if times and (suspect is self.leader or not self.episodes):
                found[suspect.service] = min([*times, *([found[suspect.service]] if suspect.service in found else [])])
        return found

    @cached_property
    def below(self) -> frozenset[str]:
        """Return the services that the leader depends on, directly or not."""
        edges = frozenset(self.ranking.edges)
        return downstream(self.leader.service, edges=edges) - {self.leader.service}

    def connected(self, service: str) -> bool:
        """Say whether the service depends on the leader, or the leader on it."""
        edges = frozenset(self.ranking.edges)
        return service in self.below or self.leader.service in downstream(service, edges=edges)

    def cites(self, services: Iterable[str], *roles: Role, most: int = NAMED_AT_MOST) -> tuple[str, ...]:
        """Return the ids of items about the services, of the roles if any are given."""
        wanted = set(services)
        about = [item for item in self.items if item.service in wanted and item.kind is not Kind.PRECEDENT]
        found = [item.id for item in about if not roles or item.role in roles]
        return tuple(found[:most])


def attempts(case: Case) -> tuple[Attempt, ...]:
    """Return every attempt to refute the leading suspect, in the order in which one would ask."""
    return tuple(
        attempt(case)
        for attempt in (_order, _before, _dependencies, _worse, _reach, _change, _traffic, _recovery, _rival)
    )


def telling(suspect: Suspect) -> list[Finding]:
    """Return the findings that are more than noise; a change is none by itself."""
    return [one for one in suspect.findings if one.strength >= TELLING and one.modality is not Modality.CHANGES]


def _order(case: Case) -> Attempt:
    leader, began = case.leader.service, case.departed_at
    question = f"Did {leader} go wrong only after the others?"
    cites = case.cites([leader], Role.CAUSE, Role.SYMPTOM, most=1)
    if leader not in began:
        return Attempt("order", question, Result.OPEN, f"It is not known when {leader} went wrong.")
    if not case.others:
        return Attempt("order", question, Result.WITHSTOOD, "No other service left its usual range.", cites)
    first = case.others[0]
    cites = (*cites, *case.cites([first], Role.SYMPTOM, Role.RIVAL, most=1))
    late = began[leader] - began[first]
    if late > SAME_TIME:
        answer = f"{leader} left its usual range at {clock(began[leader])}, {span_of_time(late)} after {first}."
        return Attempt("order", question, Result.REFUTED, answer, cites)
    if abs(late) <= SAME_TIME:
        answer = f"{leader} and {first} went wrong within {span_of_time(SAME_TIME)}, too close to be put in order."
        return Attempt("order", question, Result.WITHSTOOD, answer, cites)
    answer = f"{leader} left its usual range at {clock(began[leader])}, {span_of_time(-late)} before {first}."
    return Attempt("order", question, Result.WITHSTOOD, answer, cites)


def _before(case: Case) -> Attempt:
    leader, found = case.leader.service, telling(case.leader)
    question = f"Was {leader} like this before as well?"
    charts = [item for item in case.items if item.service == leader and item.role is Role.CAUSE]
    for item in charts:
        past, points, share = _reached(item, case.start)
        if points >= COMPARED_POINTS and past / points >= AS_OFTEN * share:
            answer = f"{item.title} had gone as far before the incident: {past} of the {points} points before it."
            return Attempt("before", question, Result.REFUTED, answer, (item.id,))
    if not found:
        return Attempt("before", question, Result.OPEN, f"Nothing measured at {leader} moved far enough to compare.")
    moved = [one for one in found if _moved(one)]
    cites = tuple(item.id for item in charts[:NAMED_AT_MOST])
    if not moved:
        answer = f"What speaks against {leader} was much the same before: {said(found[0])}."
        return Attempt("before", question, Result.REFUTED, answer, cites)
    answer = f"{len(moved)} of {len(found)} findings are new, or moved by half or more: {said(moved[0])}."
    return Attempt("before", question, Result.WITHSTOOD, answer, cites)


def _moved(finding: Finding) -> bool:
    if math.isnan(finding.before) or math.isnan(finding.after) or finding.before <= 0 or finding.after <= 0:
        return True
    return max(finding.after / finding.before, finding.before / finding.after) >= MOVED


def _reached(item: Evidence, start: datetime) -> tuple[int, int, float]:
    """Return how many of a chart's points before the incident are past the middle of before and after, how many points there are before it,
    and the share past the middle since; 0, 0 and 1 where that cannot be said.
    """
    before, after = (item.statistic.get(side, {}).get("value") for side in ("before", "after"))
    times, values = item.detail.get("times", ()), item.detail.get("values", ())
    if item.kind is not Kind.METRIC or before is None or after is None or before == after:
        return 0, 0, 1.0
    middle = (before + after) / 2
    known = [
        (t < start.timestamp(), (v >= middle) == (after > before))
        for t, v in zip(times, values, strict=True)
        if v is not None
    ]
    earlier = [is_past for is_before, is_past in known if is_before]
    since = [is_past for is_before, is_past in known if not is_before]
    return sum(earlier), len(earlier), sum(since) / len(since) if since else 1.0


def _dependencies(case: Case) -> Attempt:
    leader = case.leader.service
    question = f"Is something that {leader} calls to blame instead?"
    if not case.ranking.edges:
        return Attempt("dependencies", question, Result.OPEN, "Who calls whom is not known: there are no spans.")
    if not case.below:
        answer = f"{leader} calls no other service that is seen."
        return Attempt("dependencies", question, Result.WITHSTOOD, answer)
    unwell = [one for one in case.ranking.suspects if one.service in case.below and _as_unwell(one, case.leader)]
    if not unwell:
        cites = case.cites(case.below, Role.AGAINST, Role.CONTEXT)
        named = joined(sorted(case.below)[:NAMED_AT_MOST]) + (" and others" if len(case.below) > NAMED_AT_MOST else "")
        answer = f"Nothing as strong was found at what it calls: {named}."
        return Attempt("dependencies", question, Result.WITHSTOOD, answer, cites)
    worst = unwell[0]
    answer = f"{worst.service}, which {leader} depends on, went wrong too: {said(telling(worst)[0])}."
    began = case.departed_at
    earlier = worst.service in began and leader in began and began[leader] - began[worst.service] > SAME_TIME
    result = Result.REFUTED if earlier else Result.OPEN
    return Attempt("dependencies", question, result, answer, case.cites([worst.service]))


def _worse(case: Case) -> Attempt:
    leader = case.leader.service
    question = f"Did something far worse happen next to {leader}?"
    own = _strongest(case.leader)
    near = [one for one in case.ranking.suspects[1:] if case.connected(one.service) and telling(one)]
    worst = max(near, key=_strongest, default=None)
    if not own:
        return Attempt("worse", question, Result.OPEN, f"Nothing measured at {leader} moved far enough to compare.")
    if worst is None or _strongest(worst) < own:
        answer = "Nothing worse was found at a service that calls it or that it calls."
        return Attempt("worse", question, Result.WITHSTOOD, answer)
    strongest = max(telling(worst), key=lambda one: one.strength)
    answer = f"{worst.service}, connected with {leader}, moved {_strongest(worst) / own:.1f} times as far: {said(strongest)}."
    result = Result.REFUTED if _strongest(worst) >= FAR_WORSE * own else Result.WITHSTOOD
    return Attempt("worse", question, result, answer, case.cites([worst.service]))


def _strongest(suspect: Suspect) -> float:
    return max((one.strength for one in telling(suspect)), default=0.0)


def _reach(case: Case) -> Attempt:
    leader = case.leader.service
    question = f"Did services go wrong that {leader} cannot have harmed?"
    unwell = [one for one in case.ranking.suspects[1:] if _as_unwell(one, case.leader)]
    if not unwell:
        return Attempt("reach", question, Result.WITHSTOOD, "Nothing as strong was found at any other service.")
    if not case.ranking.edges:
        return Attempt("reach", question, Result.OPEN, "Who calls whom is not known: there are no spans.")
    apart = [one for one in unwell if not case.connected(one.service)]
    if not apart:
        names = [one.service for one in unwell[:NAMED_AT_MOST]]
        answer = f"All that went wrong as badly are connected with it: {joined(names)}."
        return Attempt("reach", question, Result.WITHSTOOD, answer, case.cites(names))
    answer = f"{apart[0].service} neither calls {leader} nor is called by it, and went wrong too: {said(telling(apart[0])[0])}."
    # Two faults at once are not rare, and spans do not show every dependency: by itself this refutes nothing.
    return Attempt("reach", question, Result.OPEN, answer, case.cites([one.service for one in apart]))


def _as_unwell(one: Suspect, leader: Suspect) -> bool:
    """Say whether something was found at a service that is comparable with the strongest at the leader."""
    least = COMPARABLE * max((finding.strength for finding in telling(leader)), default=0.0)
    return any(finding.strength >= least for finding in telling(one))


def _change(case: Case) -> Attempt:
    leader = case.leader.service
    question = "Does a change elsewhere explain it better?"
    known = [item for item in case.items if item.kind is Kind.CHANGE]
    near = [item for item in known if timedelta(0) <= case.start - _at(item) <= CHANGED_BEFORE]
    own = [item for item in near if item.service == leader]
    if own:
        answer = f"{leader} itself changed at {clock(_at(own[0]))}, {_ago(case, own[0])}."
        return Attempt("change", question, Result.WITHSTOOD, answer, (own[0].id,))
    accused = {one.service for one in case.ranking.suspects if telling(one)} | case.below
    rivals = [item for item in near if item.service in accused]
    if rivals:
        answer = (
            f"{rivals[0].service} changed at {clock(_at(rivals[0]))}, {_ago(case, rivals[0])}; {leader} did not change."
        )
        return Attempt("change", question, Result.OPEN, answer, (rivals[0].id,))
    minutes = f"{CHANGED_BEFORE.seconds // 60} min"
    if near:
        answer = f"{near[0].service} changed, but nothing else speaks against it."
        return Attempt("change", question, Result.WITHSTOOD, answer, (near[0].id,))
    return Attempt("change", question, Result.WITHSTOOD, f"No change was recorded in the {minutes} before.")


def _at(item: Evidence) -> datetime:
    return datetime.fromisoformat(item.detail["at"])


def _ago(case: Case, item: Evidence) -> str:
    return f"{span_of_time(case.start - _at(item))} before the incident began"


def _traffic(case: Case) -> Attempt:
    question = "Does more traffic explain it without any fault?"
    found = next((item for item in case.items if "factor" in item.statistic and item.role is Role.CONTEXT), None)
    if found is None:
        return Attempt("traffic", question, Result.OPEN, "How much traffic there was is not known.")
    factor = found.statistic["factor"]["value"]
    now = quantity(found.statistic["after"]["value"], found.statistic["after"]["unit"])
    answer = f"Traffic at {found.service} was {factor:g} × the usual ({now})."
    calm = factor < HIGHER or case.leader.family is Family.TRAFFIC
    return Attempt("traffic", question, Result.WITHSTOOD if calm else Result.OPEN, answer, (found.id,))


def _recovery(case: Case) -> Attempt:
    leader = case.leader.service
    question = f"Did the others recover without {leader}, or it without them?"
    own = [episode for episode in case.episodes if episode.key.service == leader]
    rest = [episode for episode in case.episodes if episode.key.service != leader]
    if not own or not rest:
        return Attempt("recovery", question, Result.OPEN, "There are no anomalies on both sides to compare.")
    result, answer = _recovered(leader, _healed_at(own), _healed_at(rest), until=case.end)
    first = case.cites([leader], Role.CAUSE, Role.SYMPTOM, most=1)
    return Attempt("recovery", question, result, answer, (*first, *case.cites(case.others, Role.SYMPTOM, most=1)))


def _recovered(leader: str, healed: datetime | None, others: datetime | None, *, until: datetime) -> tuple[Result, str]:
    """Return how the recoveries fit together; None is one that has not happened `until` then."""
    if others is None:
        if healed is None:
            return Result.OPEN, "Neither has recovered yet."
        answer = f"{leader} is back to usual since {clock(healed)}, the others are not."
        return (Result.REFUTED if until - healed > RECOVERS_WITHIN else Result.OPEN), answer
    if healed is None:
        return Result.REFUTED, f"The others were back to usual at {clock(others)}; {leader} was not."
    answer = f"{leader} was back to usual at {clock(healed)}, the others at {clock(others)}."
    return (Result.REFUTED if abs(others - healed) > RECOVERS_WITHIN else Result.WITHSTOOD), answer


def _healed_at(episodes: Sequence[Episode]) -> datetime | None:
    """Return when the last of them ended; None while one goes on."""
    ends = [episode.ended_at for episode in episodes]
    return None if None in ends else max(end for end in ends if end is not None)


def _rival(case: Case) -> Attempt:
    leader = case.leader
    question = "Is another service as likely?"
    second = case.ranking.suspects[1] if len(case.ranking.suspects) > 1 else None
    # No figures: what is stated of each stands in one place, and may yet be held down.
    if second is None:
        return Attempt("rival", question, Result.WITHSTOOD, "Nobody else is suspected.")
    if second.confidence < COMPARABLE * leader.confidence:
        answer = f"The next, {second.service}, is less than half as likely as {leader.service}."
        return Attempt("rival", question, Result.WITHSTOOD, answer)
    answer = f"{second.service} is more than half as likely as {leader.service}."
    return Attempt("rival", question, Result.OPEN, answer, case.cites([second.service]))
