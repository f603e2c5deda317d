"""The arguments that each tool takes: typed, bounded, nothing else accepted, and no name that the incident's scope does not know.

There is no argument for an address, a host or a query. Tools build their queries themselves from these values.
"""

from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from copilot.answers.investigation.scope import Scope, closest

DAY = 24 * 60  # minutes
Minute = Annotated[int, Field(ge=-DAY, le=DAY)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[str, Field(min_length=2, max_length=200)]
AFTER_START = "Minutes from the incident's start; negative is before it."


class Arguments(BaseModel):
    """What all have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("text", "words", check_fields=False)
    @classmethod
    def _no_address(cls, value: str | None) -> str | None:
        if value and "://" in value:
            raise ValueError("an address is not accepted; give words that the lines hold")
        return value

    @field_validator("service", check_fields=False)
    @classmethod
    def _known_service(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _known(value, _scope(info).services, "service")

    @field_validator("file", check_fields=False)
    @classmethod
    def _known_file(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _known(value, _scope(info).files, "file")

    @field_validator("trace_id", check_fields=False)
    @classmethod
    def _known_trace(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and value not in _scope(info).traces:
            raise ValueError("this trace is in no result so far; leave it out and say which one to pick")
        return value

    @field_validator("like", check_fields=False)
    @classmethod
    def _known_pattern(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _known(value, tuple(_scope(info).patterns), "log pattern")


class Windowed(Arguments):
    """A tool that looks at a window of at most 24 hours."""

    from_minute: Minute = Field(default=-15, description=AFTER_START)
    to_minute: Minute | None = Field(default=None, description="Likewise; null is the end of the incident.")

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        _window(self.from_minute, self.to_minute)
        return self


class QueryMetrics(Windowed):
    """One metric of a service over time."""

    service: Name
    metric: Name
    operation: Name | None = None

    @model_validator(mode="after")
    def _known_metric(self, info: ValidationInfo) -> Self:
        scope = _scope(info)
        _known(self.metric, tuple(scope.metrics_of(self.service)), f"metric of {self.service}")
        if self.operation is not None:
            _known(self.operation, tuple(scope.operations_of(self.service)), f"operation of {self.service}")
        return self


class CompareWindows(Arguments):
    """Every metric of a service in two windows."""

    service: Name
    first_from: Minute = Field(description=AFTER_START)
    first_to: Minute
    second_from: Minute
    second_to: Minute

    @model_validator(mode="after")
    def _are_windows(self) -> Self:
        _window(self.first_from, self.first_to)
        _window(self.second_from, self.second_to)
        return self


class SearchLogs(Windowed):
    """Log lines."""

    service: Name | None = Field(default=None, description="null is every service of the incident.")
    text: Words | None = Field(default=None, description="Found as it stands, in any case; no pattern.")
    like: Name | None = Field(default=None, description="Evidence id of a log pattern: lines like those.")
    least_severity: Literal["any", "warning", "error"] = "any"


class CompareLogPatterns(Windowed):
    """Log patterns that are new, gone, or more or less frequent since the incident began."""

    service: Name


class GetTrace(Windowed):
    """One trace as a waterfall."""

    service: Name
    operation: Name | None = None
    pick: Literal["slowest", "failed", "typical"] = "slowest"
    trace_id: Name | None = Field(default=None, description="One that a result names.")


class ListChanges(Arguments):
    """Deploys and settings that were changed, and by whom where that is known."""

    service: Name | None = Field(default=None, description="null is every service.")
    from_minute: Minute = Field(default=-60, description=AFTER_START)
    to_minute: Minute | None = None

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        _window(self.from_minute, self.to_minute)
        return self


class ShowTopology(Arguments):
    """Who calls a service and whom it calls, and how they do."""

    service: Name


class SearchRunbooks(Arguments):
    """Approved runbooks or postmortems."""

    words: Words
    kind: Literal["runbook", "postmortem"] = "runbook"


class FindSimilarIncidents(Arguments):
    """Past incidents with the same signals."""


class SearchFiles(Arguments):
    """Entries of attached files."""

    words: Words
    file: Name | None = Field(default=None, description="null is every file.")


class ReadFile(Arguments):
    """Lines of an attached file."""

    file: Name
    first_line: int = Field(ge=1, le=300_000)
    count: int = Field(default=40, ge=1, le=100)


class ReadMore(Arguments):
    """A further page of a result."""

    result: int = Field(ge=1, le=10_000, description="The number that the result names.")
    page: int = Field(ge=1, le=10_000)

    @model_validator(mode="after")
    def _known_result(self, info: ValidationInfo) -> Self:
        if self.result not in _scope(info).results:
            raise ValueError(f"no result {self.result} has further pages")
        return self


def _scope(info: ValidationInfo) -> Scope:
    return cast(Scope, info.context)


def _known(value: str | None, known: tuple[str, ...], what: str) -> str | None:
    if value is not None and value not in known:
        raise ValueError(f"{value[:80]!r} is no {what} that this incident knows; near: {closest(value, known)}")
    return value


def _window(start: int, end: int | None) -> None:
    if end is not None and end <= start:
        raise ValueError("the window is empty: it must end after it starts")
    if end is not None and end - start > DAY:
        raise ValueError("the window is longer than 24 hours")


def problems(error: Any) -> str:
    """Return what is wrong with a call's arguments, in a sentence for the model. `error` is pydantic's ValidationError."""
    said = []
    for each in error.errors(include_url=False)[:6]:
        where = ".".join(str(part) for part in each["loc"])
        said.append(
            f"{where}: {each['msg'].removeprefix('Value error, ')}"
            if where
            else each["msg"].removeprefix("Value error, ")
        )
    return "; ".join(said)
