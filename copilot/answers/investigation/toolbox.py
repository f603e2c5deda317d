"""The closed set of tools: what each is called and takes, and how a call is read: strictly, or refused with the reason."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from copilot.answers.investigation import (
    arguments,
    file_tools,
    knowledge_tools,
    log_tools,
    metric_tools,
    trace_tools,
)
from copilot.answers.investigation.arguments import Arguments
from copilot.answers.investigation.found import Found, Sources
from copilot.answers.investigation.scope import MOST_NAMED, Scope
from copilot.llm.tool_calling import Tool, ToolCall

READ_MORE = "read_more"

Run = Callable[[Any, Scope, Sources], Found]


@dataclass(frozen=True, slots=True)
class Kind:
    """One tool. `said` is what pages call a use of it; `run` is None for pages of kept results, which need no source."""

    takes: type[Arguments]
    said: str
    run: Run | None


TOOLS: Mapping[str, Kind] = {
    "query_metrics": Kind(arguments.QueryMetrics, "Metric", metric_tools.query_metrics),
    "compare_windows": Kind(arguments.CompareWindows, "Two windows", metric_tools.compare_windows),
    "search_logs": Kind(arguments.SearchLogs, "Log lines", log_tools.search_logs),
    "compare_log_patterns": Kind(arguments.CompareLogPatterns, "Log patterns", log_tools.compare_log_patterns),
    "get_trace": Kind(arguments.GetTrace, "Trace", trace_tools.get_trace),
    "list_changes": Kind(arguments.ListChanges, "Changes", knowledge_tools.list_changes),
    "show_topology": Kind(arguments.ShowTopology, "Who calls whom", trace_tools.show_topology),
    "search_runbooks": Kind(arguments.SearchRunbooks, "Runbooks", knowledge_tools.search_runbooks),
    "find_similar_incidents": Kind(
        arguments.FindSimilarIncidents, "Past incidents", knowledge_tools.find_similar_incidents
    ),
    "search_files": Kind(arguments.SearchFiles, "Attached files", file_tools.search_files),
    "read_file": Kind(arguments.ReadFile, "Attached file", file_tools.read_file),
    READ_MORE: Kind(arguments.ReadMore, "Next page", None),
}
_OF_FILES = ("search_files", "read_file")
_OF_ANY = (*_OF_FILES, READ_MORE)


class CallRefused(Exception):
    """A call is not run; the message says why, for the model."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may be run: its arguments are checked and whole, defaults included."""

    tool: str
    arguments: Arguments

    @property
    def values(self) -> dict[str, Any]:
        """Return the arguments as JSON types."""
        return self.arguments.model_dump()


def read(raw: ToolCall, scope: Scope) -> Call:
    """Return the call that a model wrote. Raises CallRefused for anything but a known tool with exactly the arguments that it takes."""
    kind = TOOLS.get(raw.name)
    if kind is None or raw.name not in names(scope):
        raise CallRefused(f"There is no tool {raw.name[:60]!r}. There are: {', '.join(names(scope))}.")
    try:
        # A call without arguments is sent as no text at all by some providers.
        values = json.loads(raw.arguments or "{}")
    except ValueError as error:
        raise CallRefused(f"The arguments are not JSON: {error}.") from error
    if not isinstance(values, dict):
        raise CallRefused("The arguments must be one JSON object.")
    return checked(raw.name, values, scope)


def checked(tool: str, values: Mapping[str, Any], scope: Scope) -> Call:
    """Return a call with checked arguments. Raises CallRefused."""
    try:
        return Call(tool, TOOLS[tool].takes.model_validate(values, context=scope))
    except ValidationError as error:
        raise CallRefused(f"{arguments.problems(error)}.") from error


def names(scope: Scope) -> tuple[str, ...]:
    """Return the tools that make sense here: those of files where there are some, the others where there is telemetry."""
    chosen = [name for name in TOOLS if scope.services and name not in _OF_FILES]
    return tuple(name for name in TOOLS if name in chosen or (scope.files and name in _OF_ANY))


def definitions(scope: Scope) -> tuple[Tool, ...]:
    """Return the tools in OpenAI's form, with the names that their arguments may have."""
    return tuple(_definition(name, TOOLS[name], scope) for name in names(scope))


def run(call: Call, scope: Scope, sources: Sources) -> Found:
    """Look it up. Raises NothingThere and TelemetryError, whose messages are for the model."""
    kind = TOOLS[call.tool]
    if kind.run is None:
        raise CallRefused("Pages are read from what is kept.")
    if sources.recording is not None:
        return sources.recording.look(call.tool, call.values)
    return kind.run(call.arguments, scope, sources)


def _definition(name: str, kind: Kind, scope: Scope) -> Tool:
    schema = kind.takes.model_json_schema()
    allowed = {"service": scope.services, "metric": scope.metrics, "file": scope.files}
    properties = {
        argument: _property(dict(shape), allowed.get(argument, ()))
        for argument, shape in schema.get("properties", {}).items()
    }
    parameters = {
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "description": (kind.takes.__doc__ or "").strip(), "parameters": parameters},
    }


def _property(shape: dict[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    """Return an argument's schema without what costs tokens and says nothing, and with the names that are known, if they are few."""
    shape.pop("title", None)
    choices = shape.pop("anyOf", None)
    if choices:
        shape |= {**choices[0], "type": [choices[0]["type"], "null"]}
    for bound in ("minLength", "maxLength"):
        shape.pop(bound, None)
    if shape.get("default", "") is None:
        shape.pop("default")
    if 0 < len(allowed) <= MOST_NAMED:
        shape["enum"] = [*allowed, None] if choices else list(allowed)
    return shape
