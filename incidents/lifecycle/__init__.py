"""An incident's life: opened by anomalies or alerts, joined by what belongs to it, moved on, merged and split by people.

Each step writes the timeline. What cannot be done raises WrongState (the incident is elsewhere in its life) or NotPossible (the value cannot
be set); both messages say what to do instead.
"""

from incidents.lifecycle.alerts import began, join_alerts, name_of, note_alerts, open_for_alerts
from incidents.lifecycle.details import (
    NotPossible,
    restrict,
    set_cause,
    set_services,
    set_severity,
    set_tags,
    set_team,
    set_title,
)
from incidents.lifecycle.groups import LIVE, one_at_a_time, open_or_join, survivor, team_of
from incidents.lifecycle.learned import (
    Cause,
    Stated,
    add_lesson,
    change_lesson,
    confirm_cause,
    drop_lesson,
    note_refuted,
)
from incidents.lifecycle.merging import can_undo, merge, split, undo
from incidents.lifecycle.stages import (
    ACTIVE,
    OVER,
    WrongState,
    acknowledge,
    add_note,
    close,
    mitigate,
    reopen,
    resolve,
    status_after,
)

__all__ = [
    "ACTIVE",
    "LIVE",
    "OVER",
    "Cause",
    "NotPossible",
    "Stated",
    "WrongState",
    "acknowledge",
    "add_lesson",
    "add_note",
    "began",
    "can_undo",
    "change_lesson",
    "close",
    "confirm_cause",
    "drop_lesson",
    "join_alerts",
    "merge",
    "mitigate",
    "name_of",
    "note_alerts",
    "note_refuted",
    "one_at_a_time",
    "open_for_alerts",
    "open_or_join",
    "reopen",
    "resolve",
    "restrict",
    "set_cause",
    "set_services",
    "set_severity",
    "set_tags",
    "set_team",
    "set_title",
    "split",
    "status_after",
    "survivor",
    "team_of",
    "undo",
]
