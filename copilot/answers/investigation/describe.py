"""A step in words, for pages and for shells: what was looked at, not how a tool is called."""

from collections.abc import Mapping
from typing import Any

from copilot.answers.investigation.toolbox import TOOLS
from copilot.llm.plain_text import clean

LONGEST = 140
_SHOWN = ("service", "metric", "operation", "file", "kind", "pick")
_QUOTED = ("text", "words")


def described(tool: str, values: Mapping[str, Any]) -> str:
    """Return what a step looks at: "Metric: payments db_pool_in_use, from 15 min before the incident to its end"."""
    kind = TOOLS.get(tool)
    parts = [str(values[name]) for name in _SHOWN if values.get(name)]
    parts += [f"“{values[name]}”" for name in _QUOTED if values.get(name)]
    if values.get("like"):
        parts.append(f"like {values['like']}")
    if "result" in values:
        parts.append(f"page {values.get('page')} of step {values['result']}")
    said = clean(" ".join(parts), limit=LONGEST)
    said = ", ".join(filter(None, (said, _window(values))))
    name = kind.said if kind else "A tool that there is not"
    return f"{name}: {said}" if said else name


def _window(values: Mapping[str, Any]) -> str:
    if "first_from" in values:
        first, second = (f"{_span(values[f'{name}_from'], values[f'{name}_to'])}" for name in ("first", "second"))
        return f"{first} against {second}"
    return _span(values["from_minute"], values.get("to_minute")) if "from_minute" in values else ""


def _span(begin: int, end: int | None) -> str:
    """Return a stretch of minutes from the incident's start in words."""
    return f"from {_minute(begin)} to {'its end' if end is None else _minute(end)}"


def _minute(minute: int) -> str:
    if minute == 0:
        return "its start"
    return f"{abs(minute)} min {'before' if minute < 0 else 'into'} the incident"
