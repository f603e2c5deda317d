"""Alerts as rows: one statement upserts a delivery's alerts, one moves on those whose state changed, one keeps the events."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from incidents.intake import statements
from incidents.intake.episodes import FIRING, RESOLVED, Event, State, fold, is_in_order
from incidents.intake.notices import AlertNotice

SKEW_AHEAD = timedelta(minutes=1)
TOLD_LATE = timedelta(
    hours=1
)  # an alert that is new to us and began so long ago: told late, or the sender's clock is behind
REPEATS_AFTER = timedelta(
    seconds=30
)  # a repeat this long after the one before is looked at again: its incident may be over
INTEGER = 2_147_483_647
COLUMNS = {
    "name": "text",
    "summary": "text",
    "severity": "int2",
    "service": "text",
    "environment": "text",
    "team": "text",
    "labels": "jsonb",
    "annotations": "jsonb",
    "link": "text",
    "has_user_impact": "bool",
}
# What the alert is said to be is taken from the newest notice that says it; a bare one (only "it is over") says nothing about it.
NEWER = """NOT %(bare)s AND ((excluded.last_event_at, excluded.status = 'resolved') >= (a.last_event_at, a.status = 'resolved')
    OR (a.summary = '' AND a.labels = '{}'::jsonb))"""
UPSERT = f"""
    INSERT INTO incidents_alert AS a (source_id, fingerprint, {", ".join(COLUMNS)}, status, starts_at, ends_at, last_event_at,
        first_received_at, last_received_at, deliveries, episodes, clock_skew_seconds, quiet, is_demo)
    SELECT %s, fingerprint, {", ".join(COLUMNS)}, status, starts_at, ends_at, last_event_at,
        %s, %s, deliveries, episodes, clock_skew_seconds, '', false
    FROM jsonb_to_recordset(%s::jsonb) AS r(fingerprint text, {", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())},
        status text, starts_at timestamptz, ends_at timestamptz, last_event_at timestamptz, deliveries int8, episodes int4,
        clock_skew_seconds int4)
    ORDER BY fingerprint
    ON CONFLICT (source_id, fingerprint) DO UPDATE SET
        deliveries = a.deliveries + excluded.deliveries,
        last_received_at = greatest(a.last_received_at, excluded.last_received_at),
        {", ".join(f"{name} = CASE WHEN (NEWER) THEN excluded.{name} ELSE a.{name} END" for name in COLUMNS)}
    RETURNING id, fingerprint, xmax = 0, status, starts_at, ends_at, last_event_at, episodes, quiet, severity, service,
        (SELECT o.severity FROM incidents_alert o WHERE o.id = a.id), (SELECT o.service FROM incidents_alert o WHERE o.id = a.id),
        (SELECT o.last_received_at FROM incidents_alert o WHERE o.id = a.id)
"""  # noqa: S608 - of our own column names
UPSERTS = {bare: UPSERT.replace("NEWER", NEWER.replace("%(bare)s", str(bare).lower())) for bare in (False, True)}
MOVE = """
    UPDATE incidents_alert a SET status = r.status, starts_at = r.starts_at, ends_at = r.ends_at, last_event_at = r.last_event_at,
        episodes = r.episodes, clock_skew_seconds = coalesce(r.clock_skew_seconds, a.clock_skew_seconds),
        quiet = CASE WHEN r.status = 'resolved' THEN '' ELSE a.quiet END,
        quiet_until = CASE WHEN r.status = 'resolved' THEN NULL ELSE a.quiet_until END
    FROM jsonb_to_recordset(%s::jsonb) AS r(id int8, status text, starts_at timestamptz, ends_at timestamptz,
        last_event_at timestamptz, episodes int4, clock_skew_seconds int4)
    WHERE a.id = r.id
"""
KEEP_EVENTS = """
    INSERT INTO incidents_alertevent (alert_id, status, at, received_at, begins)
    SELECT alert_id, status, at, %s, begins
    FROM jsonb_to_recordset(%s::jsonb) AS r(alert_id int8, status text, at timestamptz, begins bool)
    ON CONFLICT (alert_id, status, at) DO UPDATE SET begins = incidents_alertevent.begins OR excluded.begins
    WHERE excluded.begins AND NOT incidents_alertevent.begins
"""
EVENTS = "SELECT alert_id, at, status, begins FROM incidents_alertevent WHERE alert_id = ANY(%s)"
SPARED = """
    UPDATE incidents_hold SET ended_at = %s, outcome = 'spared' WHERE alert_id = ANY(%s) AND ended_at IS NULL
"""


@dataclass(frozen=True)
class _Told:
    """All that one delivery says of one alert."""

    notice: AlertNotice  # the newest
    events: tuple[Event, ...]
    is_by_receipt: bool  # an event has the time of its receipt, because the sender told none
    times: int


@dataclass(frozen=True)
class _Row:
    """An alert after the upsert: its state is still as it was, unless it is new."""

    id: int
    fingerprint: str
    is_new: bool
    state: State
    quiet: str
    is_worse: bool  # more severe than before, or of another service
    since_last: timedelta  # receipt


def write(source_id: int, alerts: Sequence[AlertNotice], *, now: datetime) -> list[int]:
    """Upsert the alerts of one delivery and return the ids of those that are worth placing anew, in ascending order.

    Worth it are alerts that are new, changed their state, grew worse, or repeat that they are firing after a while. Must be
    called within a transaction. However deliveries are ordered, each alert ends as if its events had come sorted by the
    sender's time; events without one count by receipt, and repeated ones add nothing but to the count of deliveries.
    """
    told = _by_fingerprint(alerts, now=now)
    rows = _upsert(source_id, told, now=now)
    moved, kept = _settle(rows, told, now=now)
    _move(moved, rows, now=now)
    _keep(kept, now=now)
    return sorted(row.id for row in rows if _is_news(row, moved.get(row.id)))


def _is_news(row: _Row, after: State | None) -> bool:
    if row.is_new or row.is_worse or (after is not None and not _is_repeat(after, row.state)):
        return True
    return row.state.status == FIRING and row.since_last > REPEATS_AFTER


def _by_fingerprint(alerts: Iterable[AlertNotice], *, now: datetime) -> dict[str, _Told]:
    grouped: dict[str, list[AlertNotice]] = defaultdict(list)
    for notice in alerts:
        grouped[notice.fingerprint].append(notice)
    told = {}
    for fingerprint, notices in grouped.items():
        # Of several of one moment the last describes the alert.
        newest = max(
            reversed(notices), key=lambda notice: (not _is_bare(notice), notice.at or now, notice.status == RESOLVED)
        )
        events = {event for notice in notices for event in _events(notice, now=now)}
        by_receipt = any(notice.at is None for notice in notices)
        told[fingerprint] = _Told(newest, tuple(events), by_receipt, len(notices))
    return told


def _events(notice: AlertNotice, *, now: datetime) -> list[Event]:
    """Return what the notice tells: its own moment and, of a resolved alert whose beginning it tells, that too."""
    if notice.status == FIRING:
        return [Event(notice.at or now, FIRING, notice.begins)]
    end = notice.at or now
    start = [Event(notice.starts_at, FIRING, True)] if notice.starts_at and notice.starts_at <= end else []
    return [*start, Event(end, RESOLVED)]


def _is_bare(notice: AlertNotice) -> bool:
    return notice.status == RESOLVED and not notice.labels and not notice.summary


def _upsert(source_id: int, told: Mapping[str, _Told], *, now: datetime) -> list[_Row]:
    rows: list[_Row] = []
    for bare in (False, True):
        records = [_record(one, now=now) for one in told.values() if _is_bare(one.notice) is bare]
        if records:
            found = statements.run(UPSERTS[bare], [source_id, now, now, orjson.dumps(records).decode()])
            rows += [_row(one, now=now) for one in found]
    return rows


def _record(told: _Told, *, now: datetime) -> dict[str, Any]:
    notice, state = told.notice, fold(told.events)
    return {
        **{name: getattr(notice, name) for name in ("fingerprint", *COLUMNS)},
        **_state(state),
        "deliveries": told.times,
        "clock_skew_seconds": skew(state, now=now),
    }


def _state(state: State) -> dict[str, Any]:
    return {
        "status": state.status,
        "starts_at": state.starts_at,
        "ends_at": state.ends_at,
        "last_event_at": state.last,
        "episodes": state.episodes,
    }


def skew(state: State, *, now: datetime) -> int:
    """Return by how many seconds the sender's clock seems off, when an episode is first told: ahead beyond a minute, or far behind."""
    ahead = max(state.last, state.starts_at) - now
    if ahead > SKEW_AHEAD:
        return min(int(ahead.total_seconds()), INTEGER)
    late = now - state.starts_at
    return -min(int(late.total_seconds()), INTEGER) if late > TOLD_LATE and state.status == FIRING else 0


def _row(found: Sequence[Any], *, now: datetime) -> _Row:
    id_, fingerprint, is_new, status, starts_at, ends_at, last, episodes, quiet, severity, service, *before = found
    severity_before, service_before, received_before = before
    is_known = severity_before is not None
    return _Row(
        id=id_,
        fingerprint=fingerprint,
        is_new=is_new,
        state=State(status, starts_at, ends_at, last, episodes),
        quiet=quiet,
        is_worse=is_known and (severity < severity_before or service != service_before),
        since_last=now - received_before if is_known else timedelta(0),
    )


def _settle(
    rows: Sequence[_Row], told: Mapping[str, _Told], *, now: datetime
) -> tuple[dict[int, State], dict[int, set[Event]]]:
    """Return the new states of the alerts that have one, and the events to keep, both by alert id."""
    moved: dict[int, State] = {}
    kept: dict[int, set[Event]] = {}
    late: dict[int, tuple[_Row, set[Event]]] = {}
    for row in rows:
        events = set(told[row.fingerprint].events)
        if row.is_new:
            kept[row.id] = events
            continue
        if told[row.fingerprint].is_by_receipt:
            events = {_not_before(event, row.state, now=now) for event in events}
        if not is_in_order(events, state=row.state):
            late[row.id] = (row, events)
            kept[row.id] = events
            continue
        after = fold(events, start=row.state)
        if after != row.state:
            moved[row.id] = after
        # A sender's times are kept to sort later ones in; moments of receipt only come in order.
        if after != row.state and not (told[row.fingerprint].is_by_receipt and _is_repeat(after, row.state)):
            kept[row.id] = events
    moved |= {id_: state for id_, state in _replay(late).items() if state != late[id_][0].state}
    return moved, kept


def _not_before(event: Event, state: State, *, now: datetime) -> Event:
    """An event without a time of its own is the newest, also where the sender's clock ran ahead of ours before."""
    if event.at == now and state.last > now + SKEW_AHEAD:
        return Event(state.last + timedelta(microseconds=1), event.status, event.begins)
    return event


def _is_repeat(after: State, before: State) -> bool:
    return after.status == before.status and after.episodes == before.episodes


def _replay(late: Mapping[int, tuple[_Row, set[Event]]]) -> dict[int, State]:
    """Return the states of alerts of which an older event was told, from all that was ever told of them."""
    if not late:
        return {}
    events: dict[int, set[Event]] = {
        id_: {*new, Event(row.state.last, row.state.status)} for id_, (row, new) in late.items()
    }
    for id_, at, status, begins in statements.run(EVENTS, [list(late)]):
        events[id_].add(Event(at, status, begins))
    return {id_: fold(_once(found)) for id_, found in events.items()}


def _once(events: Iterable[Event]) -> list[Event]:
    """Of two that differ only in whether an episode begins, keep the one that says so."""
    found: dict[tuple[datetime, bool], Event] = {}
    for event in events:
        if event.order not in found or event.begins:
            found[event.order] = event
    return list(found.values())


def _move(moved: Mapping[int, State], rows: Sequence[_Row], *, now: datetime) -> None:
    if not moved:
        return
    before = {row.id: row.state for row in rows}
    records = []
    for id_, state in sorted(moved.items()):
        is_told_first = state.episodes != before[id_].episodes
        records.append(
            {"id": id_, **_state(state), "clock_skew_seconds": skew(state, now=now) if is_told_first else None}
        )
    over = [row.id for row in rows if row.quiet == "held" and row.id in moved and moved[row.id].status == RESOLVED]
    statements.run(MOVE, [orjson.dumps(records).decode()])
    if over:
        statements.run(SPARED, [now, over])


def _keep(kept: Mapping[int, set[Event]], *, now: datetime) -> None:
    records = [
        {"alert_id": id_, "status": event.status, "at": event.at, "begins": event.begins}
        for id_, events in sorted(kept.items())
        for event in _once(events)
    ]
    if records:
        statements.run(KEEP_EVENTS, [now, orjson.dumps(records).decode()])
