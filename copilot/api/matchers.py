"""Matchers of silences and rules as the API takes them."""

from copilot.api.problems import Problem
from incidents.intake import matching


def matchers_of(given: dict[str, str]) -> dict[str, str]:
    """Return the matchers, checked as those that people write. Raises Problem (422)."""
    try:
        found = matching.parse("\n".join(f"{label}={value}" for label, value in given.items()))
    except matching.BadMatcher as error:
        raise Problem(422, str(error)) from error
    if found != given:
        raise Problem(422, "A label holds no =, neither it nor its value a line break, quotes or blanks at an end.")
    return found
