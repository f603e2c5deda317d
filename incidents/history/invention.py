"""What happened in the made-up year, decided by dice from one seed: the same seed and end give the same year."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.random import Generator

from incidents.history.world import CHATTER, CREWS, FAMILIES, TAGS, TRIALS, TROUBLES, Cause, Crew, Trouble
from incidents.localization.confidence import NAMED

# Incidents by hour (UTC) and by weekday: deploys and traffic by day, little at weekends.
_HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 9, 8, 11, 12, 11, 9, 7, 6, 5, 5, 4, 3, 3], dtype=np.float64)
_WEEKDAYS = np.array([12, 13, 13, 13, 11, 4, 4], dtype=np.float64)
BAD_MONTH = (0.50, 0.58)  # of the time covered: deploys go wrong three times as often
PROCESS_CHANGE = 0.68  # from here somebody is paged by name, and acknowledges in a third of the time


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody's role in an incident; `until_at` None while it goes on."""

    person: str
    role: str
    since_at: datetime
    until_at: datetime | None


@dataclass(frozen=True, slots=True)
class Story:
    """One incident. `merged_into` is the position of the other in the list; `reopened_at` when it had seemed over too early."""

    crew: Crew
    trouble: Trouble
    title: str
    services: tuple[str, ...]
    severity: int
    started_at: datetime
    opened_at: datetime
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    resolved_at: datetime | None
    is_closed: bool
    reopened_at: datetime | None
    merged_into: int | None
    parts: tuple[Part, ...]
    tags: tuple[str, ...]
    alerts: int


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What people confirmed of one incident, and what had been stated of it; chances in [0, 1]."""

    service: str
    family: str
    stated_service: str
    certainty: str
    chance: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Chirp:
    """One firing without an incident: what it was called, where, when, for how long, and what became of it."""

    name: str
    service: str
    team: str
    at: datetime
    minutes: float
    outcome: str  # held, silenced, or "" when it opened nothing for another reason


def stories(*, days: int, incidents: int, seed: int, now: datetime) -> tuple[Story, ...]:
    """Return the incidents in the order in which they started, the last few still going on at `now`."""
    dice = np.random.default_rng(seed)
    moments = _moments(dice, days=days, count=incidents, now=now)
    told: list[Story] = []
    for at, progress in moments:
        story = _story(dice, at, progress, now=now)
        told.append(_perhaps_merged(dice, story, told))
    return tuple(told)


def confirmations(told: Sequence[Story], *, seed: int) -> Iterator[tuple[int, Confirmation]]:
    """Yield, for two in three incidents that are over, the confirmed cause and what had been stated: a little too sure of itself."""
    dice = np.random.default_rng(seed + 2)
    for place, story in enumerate(told):
        chance = float(dice.beta(2.4, 1.1))
        is_right = dice.random() < chance**1.35
        said = dice.random() < 0.66
        held = min(chance, float(dice.choice((1.0, 0.9, 0.85, 0.8))))
        if story.resolved_at is None or story.merged_into is not None or not said:
            continue
        rivals = [name for name in story.crew.services if name != story.services[0]]
        yield (
            place,
            Confirmation(
                service=story.services[0],
                family=FAMILIES.get(story.trouble.cause, ""),
                stated_service=story.services[0] if is_right else str(dice.choice(rivals)),
                certainty="likely" if held >= NAMED else "inconclusive",
                chance=round(chance, 3),
                confidence=round(held, 3),
            ),
        )


def trials(told: Sequence[Story], *, seed: int) -> Iterator[tuple[int, str, str]]:
    """Yield what was tried in some of the incidents that are over: the incident's place, how it went, and what it was."""
    dice = np.random.default_rng(seed + 3)
    for place, story in enumerate(told):
        if story.resolved_at is None or dice.random() >= 0.5:
            continue
        for kind, text in TRIALS[story.trouble.cause][: int(dice.integers(1, 4))]:
            yield place, kind, text


def chirps(*, days: int, seed: int, now: datetime) -> tuple[Chirp, ...]:
    """Return the firings that became no incident."""
    dice = np.random.default_rng(seed + 1)
    found = []
    for name, weekly, held, silenced, flaps in CHATTER:
        for _ in range(round(weekly * days / 7)):
            crew = CREWS[dice.integers(len(CREWS))]
            # A name that flaps does so at one service.
            service = crew.services[0] if flaps else str(dice.choice(crew.services))
            at = now - timedelta(days=float(dice.uniform(0.05, days)))
            throw = dice.random()
            outcome = "held" if throw < held else "silenced" if throw < held + silenced else ""
            again = int(dice.integers(3, 8)) if flaps and dice.random() < 0.12 else 1
            for n in range(again):
                minutes = float(dice.uniform(1, 9))
                found.append(Chirp(name, service, crew.name, at + timedelta(minutes=13 * n), minutes, outcome))
    return tuple(
        sorted((chirp for chirp in found if chirp.at + timedelta(minutes=10) < now), key=lambda chirp: chirp.at)
    )


def _moments(dice: Generator, *, days: int, count: int, now: datetime) -> list[tuple[datetime, float]]:
    """Return when the incidents start, and how far into the time that is (0 to 1)."""
    start = now - timedelta(days=days)
    hours = np.arange(days * 24)
    at = [start + timedelta(hours=int(hour)) for hour in hours]
    weights = np.array([_HOURS[moment.hour] * _WEEKDAYS[moment.weekday()] for moment in at])
    share = hours / len(hours)
    weights[(share >= BAD_MONTH[0]) & (share < BAD_MONTH[1])] *= 2.2
    chosen = np.sort(dice.choice(hours, size=count, p=weights / weights.sum()))
    minutes = dice.uniform(0, 60, size=count)
    found = [
        (start + timedelta(hours=int(h), minutes=float(m)), float(h / len(hours)))
        for h, m in zip(chosen, minutes, strict=True)
    ]
    recent = [(now - timedelta(hours=float(dice.uniform(0.05, 4))), 1.0) for _ in range(min(8, count))]
    return sorted((*found[: count - len(recent)], *recent))


def _story(dice: Generator, at: datetime, progress: float, *, now: datetime) -> Story:
    is_bad_month = BAD_MONTH[0] <= progress < BAD_MONTH[1]
    trouble = _trouble(dice, more_deploys=3.0 if is_bad_month else 1.0)
    crew = CREWS[dice.choice(len(CREWS), p=(0.36, 0.22, 0.18, 0.24))]
    service = str(dice.choice(crew.services))
    services = (service, *(s for s in crew.services if s != service and dice.random() < 0.3))
    severity = int(dice.choice((1, 2, 3, 4), p=(0.08, 0.27, 0.45, 0.2)))
    started_at = at
    opened_at = started_at + _lognormal(dice, 3.2, 0.7)
    quick = 0.34 if progress >= PROCESS_CHANGE else 1.0
    by_night = 2.2 if at.hour < 6 or at.weekday() >= 5 else 1.0
    acknowledged_at = opened_at + _lognormal(dice, 9.0 * quick * by_night, 0.8)
    restore = trouble.minutes * crew.pace * (0.7 + 0.15 * severity) * (1.5 if is_bad_month else 1.0)
    resolved_at = acknowledged_at + _lognormal(dice, restore * (0.8 if progress >= PROCESS_CHANGE else 1.0), 0.75)
    mitigated_at = acknowledged_at + (resolved_at - acknowledged_at) * float(dice.uniform(0.3, 0.9))
    reopened_at = None
    if dice.random() < 0.03:
        reopened_at = resolved_at + _lognormal(dice, 40, 0.5)
        mitigated_at = resolved_at = reopened_at + _lognormal(dice, 60, 0.6)
    story = Story(
        crew=crew,
        trouble=trouble,
        title=trouble.title.format(service=service, n=int(dice.integers(3, 40))),
        services=services,
        severity=severity,
        started_at=started_at,
        opened_at=min(opened_at, now),
        acknowledged_at=_if_past(acknowledged_at, now),
        mitigated_at=_if_past(mitigated_at, now) if dice.random() < 0.8 else None,
        resolved_at=_if_past(resolved_at, now),
        is_closed=bool(resolved_at < now - timedelta(days=7) and dice.random() < 0.6),
        reopened_at=reopened_at if reopened_at and reopened_at < now else None,
        merged_into=None,
        parts=(),
        tags=tuple(str(tag) for tag in TAGS if dice.random() < 0.08),
        alerts=int(min(30, 1 + dice.geometric(0.22))),
    )
    return replace(story, parts=_parts(dice, story))


def _trouble(dice: Generator, *, more_deploys: float) -> Trouble:
    weights = np.array([t.weight * (more_deploys if t.cause is Cause.DEPLOY else 1.0) for t in TROUBLES])
    return TROUBLES[dice.choice(len(TROUBLES), p=weights / weights.sum())]


def _parts(dice: Generator, story: Story) -> tuple[Part, ...]:
    if story.acknowledged_at is None:
        return ()
    # The first of a team is on call more often than the others, as it tends to be.
    weights = np.array([2.0, *[1.0] * (len(story.crew.people) - 1)])
    count = int(min(len(story.crew.people), 1 + (story.severity == 1) + (dice.random() < 0.45)))
    people = dice.choice(story.crew.people, size=count, replace=False, p=weights / weights.sum())
    roles = ("commander", "responder", "responder", "responder")
    joined = [story.acknowledged_at + timedelta(minutes=float(dice.uniform(0, 12))) * place for place in range(count)]
    return tuple(
        Part(str(person), role, since, None if story.resolved_at is None else max(since, story.resolved_at))
        for person, role, since in zip(people, roles, joined, strict=False)
    )


def _perhaps_merged(dice: Generator, story: Story, told: Sequence[Story]) -> Story:
    """Merge one in twenty-five into the one before, which then is about the same."""
    if not told or dice.random() >= 0.04 or told[-1].merged_into is not None:
        return story
    other = told[-1]
    if story.started_at - other.started_at > timedelta(hours=12) or story.resolved_at is None or story.reopened_at:
        return story
    title = story.title.replace(story.services[0], other.services[0])
    return replace(story, crew=other.crew, services=other.services, title=title, merged_into=len(told) - 1)


def _lognormal(dice: Generator, median_minutes: float, sigma: float) -> timedelta:
    return timedelta(minutes=float(dice.lognormal(np.log(median_minutes), sigma)))


def _if_past(moment: datetime, now: datetime) -> datetime | None:
    return moment if moment <= now else None
