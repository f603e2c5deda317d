"""What the API shows and takes of settings: sources, services, teams, grouping rules, and a person's own notifications."""

from datetime import datetime
from typing import Literal

from ninja import Field, Schema

SourceKind = Literal["alertmanager", "grafana", "pagerduty", "generic", "github", "gitlab", "argocd", "generic-change"]


class SourceShape(Schema):
    """Where alerts and changes come from; never its secrets."""

    id: int
    name: str
    kind: str
    is_enabled: bool
    is_signed: bool
    most_per_minute: int
    mapping: dict[str, str] = Field(description="of the two generic kinds: field → JMESPath expression")
    created_at: datetime
    last_received_at: datetime | None


class SourceBody(Schema):
    """A source to be added."""

    name: str = Field(max_length=100)
    kind: SourceKind
    mapping: dict[str, str] = Field({}, max_length=20, description="for the two generic kinds")


class SourceChange(Schema):
    """What to change of a source; what is left out stays. Its kind cannot change: its alerts are known by it."""

    name: str | None = Field(None, max_length=100)
    is_enabled: bool | None = None
    most_per_minute: int | None = None
    mapping: dict[str, str] | None = Field(None, max_length=20)


class TokenShape(Schema):
    """A token of a source; never the token itself."""

    id: int
    beginning: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewTokenShape(TokenShape):
    """A token that was just made."""

    token: str | None = Field(description="shown this once; null when an Idempotency-Key repeats the answer")


class NewSourceShape(SourceShape):
    """A source that was just added, with its first token."""

    token: str | None = Field(description="shown this once; null when an Idempotency-Key repeats the answer")


class NewSecretShape(Schema):
    """A signing secret that was just made, in the form of Standard Webhooks."""

    signing_secret: str | None = Field(description="shown this once; null when an Idempotency-Key repeats the answer")


class ServiceShape(Schema):
    """A monitored service."""

    name: str
    environment: str
    team: str
    owner: str | None
    version: str
    calls: list[str]
    last_seen_at: datetime


class ServiceChange(Schema):
    """What to change of a service."""

    name: str = Field(max_length=200)
    owner: str = Field(max_length=100, description='a team\'s name; "" for none')


class CallShape(Schema):
    """Who calls whom."""

    caller: str
    callee: str
    origin: str = Field(description="spans: learned; added or removed: said by a person, whatever spans show")
    last_seen_at: datetime


class CallBody(Schema):
    """What is said of a call."""

    caller: str = Field(max_length=200)
    callee: str = Field(max_length=200)
    origin: Literal["spans", "added", "removed"] = Field(description="spans: let spans decide again")


class TeamShape(Schema):
    """A team, its people, its services and its office hours."""

    id: int
    name: str
    members: list[str]
    services: list[str]
    time_zone: str
    works_from: str
    works_until: str


class TeamBody(Schema):
    """A team as it should be: exactly these members and services."""

    name: str = Field(max_length=100)
    members: list[str] = Field([], max_length=1000, description="user names")
    services: list[str] = Field([], max_length=1000)
    time_zone: str = Field("UTC", max_length=50)
    works_from: str = Field("09:00", max_length=8)
    works_until: str = Field("17:00", max_length=8)


class RuleBody(Schema):
    """A grouping rule: matching alerts that share the labels' values within the window are one incident."""

    name: str = Field(max_length=100)
    state: Literal["off", "shadow", "on"] = "shadow"
    matchers: dict[str, str] = Field({}, max_length=10, description="label → value, all must fit; * is any part")
    group_by: list[str] = Field([], max_length=5)
    window_minutes: int = 30


class RuleShape(RuleBody):
    """A grouping rule that is kept; of two that match an alert, the one with the smaller place decides."""

    id: int
    place: int
    created_by: str | None
    created_at: datetime


class RulePreviewShape(Schema):
    """What a rule would have done with the alerts of the last 30 days."""

    sentence: str
    alerts: int
    would_be: int = Field(description="incidents that the rule would have made of them")
    incidents: int = Field(description="incidents that they ended in")
    merged_by_people: int
    precision: float | None
    recall: float | None
    is_cut: bool


class NotificationShape(Schema):
    """What you were told."""

    id: int
    incident: int | None
    source: int | None = Field(description="of what it tells when not of an incident")
    text: str
    created_at: datetime
    read_at: datetime | None


class WatchBody(Schema):
    """What to follow: one incident, or every incident of a service ("" for all) from a severity on."""

    incident: int | None = None
    service: str = Field("", max_length=200)
    at_least_severity: int = Field(4, ge=1, le=4)


class WatchShape(WatchBody):
    """What you follow."""

    id: int
    created_at: datetime


class ChannelBody(Schema):
    """Where else you want to be told."""

    kind: Literal["email", "webhook"]
    target: str = Field(max_length=500)


class ChannelShape(ChannelBody):
    """Where else you are told."""

    id: int
    created_at: datetime
