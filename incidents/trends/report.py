"""A month in sentences, written by code from the same numbers as the pages: what a manager prints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from incidents.models.incident import IncidentQuerySet
from incidents.mttr import ENOUGH, Difference, Estimate, Measure, Verdict
from incidents.trends import noise, people, recurrence, times
from incidents.trends.population import Choice, Population, read
from incidents.trends.wording import NAMES, count_in_words, interval_in_words, minutes_in_words, p_in_words


@dataclass(frozen=True, slots=True)
class Report:
    """What the month's page shows: sentences by heading, and the tables beneath."""

    population: Population
    summary: tuple[str, ...]
    figures: dict[Measure, Difference]
    services: tuple[times.Group, ...]
    causes: tuple[times.Group, ...]
    recurrences: recurrence.Recurrences
    noise: noise.Noise
    load: people.Load


def report(visible: IncidentQuerySet, choice: Choice, before: Choice, *, now: datetime) -> Report:
    """Return the report on a month (`choice`), compared with the month before."""
    population, earlier = read(visible, choice, now=now), read(visible, before, now=now)
    figures = times.figures(population, earlier)
    again = recurrence.recurrences(visible, choice, now=now)
    loud, load = noise.noise(choice, now=now), people.load(visible, choice, now=now)
    return Report(
        population=population,
        summary=(
            *counts(population, earlier),
            *(difference(NAMES[measure], figures[measure], n=len(population)) for measure in _ORDER),
            *_sentences(again, loud, load),
        ),
        figures=figures,
        services=times.by_service(population)[:10],
        causes=times.by_cause(population),
        recurrences=again,
        noise=loud,
        load=load,
    )


_ORDER = (Measure.RESTORE, Measure.MITIGATE, Measure.ACKNOWLEDGE, Measure.DETECT)


def counts(population: Population, earlier: Population) -> tuple[str, ...]:
    """Say how many incidents there were, how many go on, and what was left out."""
    n, before, going_on = len(population), len(earlier), int(population.is_open().sum())
    said = [f"{count_in_words(n, 'incident')}, {before:,} in the time before."]
    if going_on:
        said.append(f"{count_in_words(going_on, 'of them goes', 'of them go')} on; their times count as not over yet.")
    left = population.left_out
    out = [count_in_words(left.merged, "merged incident")] if left.merged else []
    out += [count_in_words(left.false_alarms, "false alarm")] if left.false_alarms else []
    if out:
        said.append(f"Left out of the times: {' and '.join(out)}.")
    if population.demo:
        said.append(f"{count_in_words(population.demo, 'incident is', 'incidents are')} made up: this is demo data.")
    return tuple(said)


def difference(name: str, apart: Difference, *, n: int) -> str:
    """Say how a median moved, or why nothing can be said: "Median time to restore fell from 62 min (48 to 80) to 41 min (33 to 55)"."""
    if apart.after is None:
        return f"Median {name.lower()}: too few incidents to say ({n}; needs {ENOUGH})."
    now = _with_interval(apart.after)
    if apart.before is None:
        return f"Median {name.lower()}: {now}; too few incidents before to compare."
    if apart.verdict is Verdict.NOT_CLEAR:
        return f"Median {name.lower()}: {now}; no clear change from {_with_interval(apart.before)} ({p_in_words(apart.p)})."
    tested = f"{count_in_words(apart.after.n, 'incident')}; {p_in_words(apart.p)}"
    return (
        f"Median {name.lower()} {apart.verdict} from {_with_interval(apart.before)} to {now}; {tested}: enough to say."
    )


def _with_interval(estimate: Estimate) -> str:
    if not isfinite(estimate.minutes):
        return f"more than {minutes_in_words(estimate.low)}"
    return f"{minutes_in_words(estimate.minutes)} ({interval_in_words(estimate.low, estimate.high)})"


def _sentences(again: recurrence.Recurrences, loud: noise.Noise, load: people.Load) -> tuple[str, ...]:
    said = []
    if again.returned:
        top = again.top[0]
        said.append(
            f"{again.returned} of {count_in_words(again.n, 'incident')} came back within 30 days of one like them;"
            f" most often {top.what} at {top.service or 'no service'}, {top.times} times."
        )
    if loud.firings:
        for_each = f", {loud.for_each_incident:.1f} for each incident" if loud.for_each_incident else ""
        quiet = (loud.held + loud.silenced) / loud.decided if loud.decided else 0.0
        said.append(f"Alerts fired {loud.firings:,} times{for_each}; {quiet:.0%} were held back or silenced.")
    if load.hours:
        share = f", {load.out_of_hours / load.known_hours:.0%} of it out of hours" if load.known_hours else ""
        said.append(
            f"{count_in_words(load.everybody, 'person', 'people')} spent {load.hours:,.0f} hours on incidents{share}."
        )
    return tuple(said)
