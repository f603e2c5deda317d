"""What the API shows and takes, field by field; the descriptions are its documentation."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from ninja import Field, Schema

Item = TypeVar("Item")


class ProblemShape(Schema):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="what happened and what to do")
    errors: list[dict[str, Any]] | None = Field(None, description="with 422: each fault of the body or query")


# Every operation may refuse in these ways.
REFUSALS = frozenset({400, 401, 403, 404, 409, 412, 422, 429})


class PageShape(Schema, Generic[Item]):
    """Some rows of a list."""

    items: list[Item]
    next: str | None = Field(description="the address of the next page; null on the last")


class IncidentShape(Schema):
    """An incident. Times are UTC; `null` where it has not happened."""

    number: int
    reference: str
    title: str
    status: str
    severity: int = Field(description="1 is the worst, 4 the mildest")
    services: list[str]
    team: str | None
    cause: str
    cause_text: str
    tags: list[str]
    source: str = Field(description='"live", or the name of a replay')
    started_at: datetime
    opened_at: datetime
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    is_restricted: bool
    is_demo: bool = Field(description="made up for trying things out")
    merged_into: int | None


class IncidentChange(Schema):
    """What to change of an incident; what is left out stays."""

    title: str | None = Field(None, max_length=300)
    severity: int | None = Field(None, ge=1, le=4)
    severity_reason: str = Field("", max_length=300, description="needed with `severity`")
    services: list[str] | None = Field(None, max_length=100)
    tags: list[str] | None = Field(None, max_length=50)
    cause: str | None = Field(None, max_length=20)
    cause_text: str = Field("", max_length=500)
    team: str | None = Field(None, max_length=100, description='a team\'s name; "" for none')
    is_restricted: bool | None = None


class TimelineShape(Schema):
    """What happened, and when it became known."""

    id: int
    kind: str
    happened_at: datetime
    known_at: datetime
    text: str
    actor: str


class NoteBody(Schema):
    """A note for the timeline."""

    text: str = Field(min_length=1, max_length=500)


class TaskShape(Schema):
    """Something to be done."""

    id: int
    text: str
    assignee: str | None
    is_follow_up: bool
    created_at: datetime
    created_by: str
    done_at: datetime | None


class TaskBody(Schema):
    """A new task."""

    text: str = Field(min_length=1, max_length=300)
    assignee: str | None = Field(None, max_length=150, description="a user name")
    is_follow_up: bool = Field(False, description="after the incident rather than during it")


class TaskChange(Schema):
    """What to change of a task."""

    done: bool | None = None
    assignee: str | None = Field(None, max_length=150, description='a user name; "" for nobody')


class RoleShape(Schema):
    """Somebody's part in an incident."""

    role: str
    user: str
    since_at: datetime
    until_at: datetime | None


class RoleBody(Schema):
    """Who takes which part."""

    role: Literal["commander", "communications", "scribe", "responder"]
    user: str = Field(max_length=150, description="a user name")


class MergeBody(Schema):
    """Which incident it becomes part of."""

    into: int


class SplitBody(Schema):
    """What goes into an incident of its own: alerts by id, or everything at some services."""

    alerts: list[int] = Field(default_factory=list, max_length=1000)
    services: list[str] = Field(default_factory=list, max_length=100)


class DecisionShape(Schema):
    """Why something was put into an incident, or taken out of it."""

    id: int
    subject: str
    outcome: str
    sentence: str
    features: dict[str, Any]
    score: float | None
    decided_at: datetime
    decided_by: str
    undone_at: datetime | None


class AlertShape(Schema):
    """What a source says is wrong: one row for all deliveries with the same fingerprint."""

    id: int
    source: str
    fingerprint: str
    name: str
    summary: str
    severity: int
    service: str
    environment: str
    labels: dict[str, Any]
    annotations: dict[str, Any]
    link: str
    status: str
    starts_at: datetime
    ends_at: datetime | None
    last_received_at: datetime
    deliveries: int
    episodes: int
    quiet: str = Field(description="why it opens nothing for now; empty when it counts")
    quiet_until: datetime | None
    incident: int | None
    is_demo: bool


class ChangeShape(Schema):
    """A deploy or setting change."""

    id: int
    at: datetime
    service: str
    title: str
    kind: str
    status: str
    environment: str
    version_before: str
    version_after: str
    author: str
    link: str
    told_by: str


class SilenceShape(Schema):
    """A maintenance window or snooze."""

    id: int
    kind: str
    reason: str
    matchers: dict[str, Any]
    starts_at: datetime
    ends_at: datetime
    created_by: str | None
    ended_early_at: datetime | None


class SilenceBody(Schema):
    """A silence to be set, from now on unless `starts_at` says otherwise."""

    kind: Literal["maintenance", "snooze"] = "snooze"
    reason: str = Field(max_length=300)
    matchers: dict[str, str] = Field(
        max_length=10,
        description="label → value, all must fit; name, service, environment, team and source are the alert's own; * is any part",
    )
    starts_at: datetime | None = None
    ends_at: datetime


class RunbookShape(Schema):
    """A document with its approved text, without one its newest."""

    slug: str
    kind: str
    title: str
    state: str
    revision: int
    services: list[str]
    tags: list[str]
    owner: str
    approved_at: datetime | None
    markdown: str | None = Field(None, description="only when one document is asked for")


class PassageShape(Schema):
    """A passage that a search found."""

    slug: str
    kind: str
    title: str
    heading: str
    text: str
    revision: int


class FoundShape(Schema):
    """Passages, best first."""

    items: list[PassageShape]
    degraded: str = Field(description="what was used instead of the vector index, and why; empty normally")


class AuditShape(Schema):
    """One change of one row."""

    id: int
    number: int | None = Field(description="place in the sealed chain")
    at: datetime
    actor: str
    table: str
    row_id: str
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
