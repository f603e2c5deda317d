"""A step in words, for pages and for shells: what was looked at, not how a tool is called."""

from collections.abc import Mapping
from typing import Any

from copilot.answers.investigation.toolbox import TOOLS
from copilot.llm.plain_text import clean

LONGEST = 140
_SHOWN = ("service", "metric", "operation", "file", "kind", "pick")
_QUOTED = ("text", "words")


def described(tool: str, values: Mapping[str, Any]) -> str:
    """Return what a step looks at: "Metric: payments db_pool_in_use, minutes -15 to the end"."""
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
        return f"minutes {values['first_from']} to {values['first_to']} and {values['second_from']} to {values['second_to']}"
    if "from_minute" not in values:
        return ""
    end = values.get("to_minute")
    return f"minutes {values['from_minute']} to {'the end' if end is None else end}"
