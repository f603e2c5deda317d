"""Templates of two windows: new, vanished, more, fewer; each with examples; and nothing where traffic explains it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.localization.log_mining import template_id
from incidents.localization.log_rates import LineChange, line_changes
from incidents.localization.log_templates import template_lines
from incidents.localization.ranking import rank
from incidents.localization.suspects import Finding, Modality
from incidents.telemetry.datamodel import LogRecord, to_ns
from tests.incidents.localization.shop import CALM, FAULT_AT, OUTAGE, Memory, Shop

ROUTINE = "INFO served page {n} in {n} ms"


def line(service: str, body: str, *, time_ns: int = 0) -> LogRecord:
    return LogRecord(time_ns, service, 17 if body.startswith("ERROR") else 9, body, b"", 0, "{}")


def lines(service: str, counts: dict[str, int]) -> list[LogRecord]:
    return [line(service, text.format(n=n)) for text, count in counts.items() for n in range(count)]


def changes(before: list[LogRecord], after: list[LogRecord], *, requests: tuple[int, int]) -> list[LineChange]:
    is_before = np.arange(len(before) + len(after)) < len(before)
    return line_changes(template_lines([*before, *after]), before=is_before, after=~is_before, requests=requests)


def test_new_vanished_more_and_fewer_are_told_with_rates_and_examples() -> None:
    before = lines("shop", {ROUTINE: 400, "INFO cache warmed with {n} keys": 60, "WARN retry {n}": 20, "INFO flushed {n} events": 80})  # fmt: skip
    after = lines("shop", {ROUTINE: 200, "ERROR no stock of item {n}": 40, "WARN retry {n}": 90, "INFO flushed {n} events": 2})  # fmt: skip
    found = {one.template: one for one in changes(before, after, requests=(400, 200)) if one.strength > 0}
    told = {template: (one.before, one.after, len(one.places)) for template, one in found.items()}
    assert told == {
        "ERROR no stock of item <number>": (0, 0.2, 40),
        "WARN retry <number>": (0.05, 0.45, 90),
        "INFO cache warmed with <number> keys": (0.15, 0, 60),  # examples from before
        "INFO flushed <number> events": (0.2, 0.01, 2),
    }
    assert found["ERROR no stock of item <number>"].alarming
    assert next(iter(found)) == "ERROR no stock of item <number>"


@settings(max_examples=40, deadline=None)
@given(st.integers(50, 400), st.floats(0.2, 4))
def test_more_or_less_traffic_of_the_same_mix_changes_nothing(requests: int, factor: float) -> None:
    later = round(requests * factor)
    mix = {ROUTINE: 1.0, "INFO stored order {n}": 0.5, "WARN slow answer {n}": 0.1}
    before = lines("shop", {text: round(share * requests) for text, share in mix.items()})
    after = lines("shop", {text: round(share * later) for text, share in mix.items()})
    assert all(one.strength < 0.5 for one in changes(before, after, requests=(requests, later)))


def test_services_are_compared_each_with_itself() -> None:
    before = lines("shop", {ROUTINE: 100}) + lines("till", {ROUTINE: 100, "INFO closed drawer {n}": 50})
    after = lines("shop", {ROUTINE: 100, "INFO closed drawer {n}": 50}) + lines("till", {ROUTINE: 100})
    found = changes(before, after, requests=(100, 100))
    assert {(one.service, one.before, one.after) for one in found} == {("shop", 0, 0.5), ("till", 0.5, 0)}


def test_a_failure_that_is_no_longer_reported_is_an_improvement() -> None:
    before = lines("shop", {ROUTINE: 100, "ERROR no stock of item {n}": 50})
    assert all(one.strength == 0 for one in changes(before, lines("shop", {ROUTINE: 100}), requests=(100, 100)))


def with_lines(*, calm: dict[str, int], outage: dict[str, int]) -> Memory:
    """A healthy shop in which one service also writes lines that belong to no request."""
    memory = Shop().serve()
    for window, counts in ((CALM, calm), (OUTAGE, outage)):
        step_ns = (window.end_ns - window.start_ns) // 200
        memory.logs += [
            line("catalog", text.format(n=n), time_ns=window.start_ns + n * step_ns)
            for text, count in counts.items()
            for n in range(count)
        ]
    memory.logs.sort(key=lambda one: one.time_ns)
    return memory


def of_catalog(memory: Memory) -> dict[str, Finding]:
    ranking = rank(memory, incident=OUTAGE, reference=CALM)
    catalog = next(one for one in ranking.suspects if one.service == "catalog")
    return {one.template: one for one in catalog.findings if one.modality is Modality.LOGS}


def test_a_live_incident_hears_of_lines_that_vanish_and_of_lines_that_come_more_often() -> None:
    steady = {"INFO heartbeat {n}": 200, "INFO index refreshed, {n} documents": 150, "WARN replica {n} lags behind": 10}
    calm = with_lines(calm=steady, outage={text: count * 3 // 5 for text, count in steady.items()})
    assert not of_catalog(calm)
    found = of_catalog(with_lines(calm=steady, outage={"INFO heartbeat {n}": 120, "WARN replica {n} lags behind": 160}))
    vanished, more = found["INFO index refreshed, <number> documents"], found["WARN replica <number> lags behind"]
    assert vanished.is_left_out
    assert (vanished.after, vanished.onset_at) == (0, None)
    assert not more.is_left_out
    assert more.after > 10 * more.before > 0
    assert more.onset_at is not None
    assert to_ns(more.onset_at) >= to_ns(FAULT_AT)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["open {n}", "shut {n} by hand", "WARN {n} left", "took {n} ms"]), min_size=1, max_size=60), st.randoms(use_true_random=False))  # fmt: skip
def test_ids_are_the_same_after_a_restart_and_in_any_order(kinds: list[str], source: object) -> None:
    bodies = [kind.format(n=n * 37 % 1000) for n, kind in enumerate(kinds)]

    def ids(of: list[str]) -> dict[str, str]:
        found = template_lines([line("shop", body) for body in of])
        return {body: template_id(found.texts[number]) for body, number in zip(of, found.template, strict=True)}

    shuffled = bodies[:]
    source.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ids(bodies) == ids(shuffled)
