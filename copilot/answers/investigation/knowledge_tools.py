"""Tools on what is known: changes, runbooks and postmortems, past incidents."""

from copilot.answers.investigation.arguments import FindSimilarIncidents, ListChanges, SearchRunbooks
from copilot.answers.investigation.found import Found, NothingThere, Sources
from copilot.answers.investigation.metric_tools import backend_of
from copilot.answers.investigation.scope import Scope
from copilot.evidence import changes, passages, precedents
from copilot.evidence.wording import clock

MOST_CHANGES, MOST_PASSAGES, MOST_PRECEDENTS = 5, 3, 3


def list_changes(asked: ListChanges, scope: Scope, sources: Sources) -> Found:
    """Return what was deployed or set in the window, nearest before the incident's start first."""
    backend = backend_of(sources)
    window = scope.window(asked.from_minute, asked.to_minute)
    found = [change for change in backend.fetch_changes(window) if asked.service in (None, change.service)]
    if not found:
        whose = f" of {asked.service}" if asked.service else ""
        raise NothingThere(
            f"No change{whose} was recorded from {clock(window.start)} to {clock(window.end)}; changes that nobody reports cannot be seen."
        )
    nearest = changes.nearest(found, incident_start=scope.start, limit=MOST_CHANGES)
    items = tuple(
        changes.from_record(change, incident_start=scope.start, window=window, backend=backend.name)
        for change in nearest
    )
    lines = tuple(
        f"{change.at:%Y-%m-%d %H:%M:%S} {change.service} {change.version_before} → {change.version_after} {change.title} {change.told_by}"
        for change in found
    )
    return Found(items, lines, f"{len(found)} changes in all.")


def search_runbooks(asked: SearchRunbooks, _scope: Scope, sources: Sources) -> Found:
    """Return passages of approved runbooks or postmortems that fit the words."""
    found = sources.search(asked.words, asked.kind)
    if not found.passages:
        raise NothingThere(f"No approved {asked.kind} fits these words. {found.degraded}".strip())
    make = passages.from_passage if asked.kind == "runbook" else precedents.from_postmortem
    items = tuple(
        make(passage, window=sources.window, backend=f"{asked.kind} search")
        for passage in found.passages[:MOST_PASSAGES]
    )
    lines = tuple(
        line
        for passage in found.passages[:MOST_PASSAGES]
        for line in (f"# {passage.title}, {passage.heading}", *passage.text.splitlines())
    )
    return Found(items, lines, found.degraded)


def find_similar_incidents(_asked: FindSimilarIncidents, _scope: Scope, sources: Sources) -> Found:
    """Return past incidents that showed the same signals, and how they ended."""
    if sources.incident is None:
        raise NothingThere("There is no incident here, only attached files.")
    found = precedents.similar_incidents(sources.incident, limit=MOST_PRECEDENTS)
    if not found:
        raise NothingThere("No similar past incident is on record.")
    items = tuple(precedents.from_incident(other, shared=shared, window=sources.window) for other, shared in found)
    return Found(items, tuple(f"{other.reference} {other.title}: {', '.join(shared)}" for other, shared in found))
