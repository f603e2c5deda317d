"""The records of the incidents app, one module a subject."""

from incidents.models.alert_day import AlertDay, AlertMonth
from incidents.models.alerts import (
    Alert,
    AlertEvent,
    AlertSource,
    Hold,
    IntakeAllowance,
    NeverHold,
    RawEvent,
    Silence,
    SourceToken,
)
from incidents.models.grouping import GroupingDecision, GroupingRule
from incidents.models.incident import Anomaly, Change, FormerLook, Incident, Investigation, TimelineEntry
from incidents.models.learned import ConfirmedCause, Lesson
from incidents.models.outbox import DeadLetter, DropCount, OutboxMessage
from incidents.models.service import Service, ServiceEdge, Team
from incidents.models.signal import Departure, Signal, SignalVerdict
from incidents.models.work import IncidentRole, IncidentTask, Notification, NotificationChannel, StatusUpdate, Watch

__all__ = [
    "Alert",
    "AlertDay",
    "AlertEvent",
    "AlertMonth",
    "AlertSource",
    "Anomaly",
    "Change",
    "ConfirmedCause",
    "DeadLetter",
    "Departure",
    "DropCount",
    "FormerLook",
    "GroupingDecision",
    "GroupingRule",
    "Hold",
    "Incident",
    "IncidentRole",
    "IncidentTask",
    "IntakeAllowance",
    "Investigation",
    "Lesson",
    "NeverHold",
    "Notification",
    "NotificationChannel",
    "OutboxMessage",
    "RawEvent",
    "Service",
    "ServiceEdge",
    "Signal",
    "SignalVerdict",
    "Silence",
    "SourceToken",
    "StatusUpdate",
    "Team",
    "TimelineEntry",
    "Watch",
]
