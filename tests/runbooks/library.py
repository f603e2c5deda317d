"""A small library of runbooks, and the clock it was written by."""

from datetime import UTC, datetime

from runbooks import curation
from runbooks.models import Document, Revision

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

POOL = """Use this when a service waits for a database connection while the database is idle.

## Confirm

1. `db.client.connections.usage` is at its limit.
2. The log says `no database connection within 2 s: 5 of 5 in use`.

## Steps

1. Roll back if a deploy came within 30 minutes.
2. Otherwise restart, one instance at a time.
"""
CACHE = """Use this when the cache stops answering for the database.

## Confirm

`cache.hit.ratio` fell to 0 and the log says `cache settings reloaded: entries live 0 s`.

## Steps

1. Put the life of cache entries back.
"""
OUTAGE = """Checkout was down for 41 minutes. payments 4.9.0 leaked one connection for each declined card.

## Cause

The decline path returned early.
"""


def write(
    title: str,
    markdown: str,
    *,
    kind: str = Document.Kind.RUNBOOK,
    services: tuple[str, ...] = (),
    approve: bool = True,
) -> Revision:
    """A document with one revision."""
    text = curation.Text(title=title, markdown=markdown, services=services, owner="Team Payments")
    revision = curation.draft(text, kind=kind, by=None, now=NOW)
    return curation.approve(revision, by=None, now=NOW) if approve else revision


def small_library() -> dict[str, Revision]:
    """Two runbooks and a postmortem, all approved, none embedded."""
    return {
        "pool": write("Connection pool exhausted", POOL, services=("payments", "orders")),
        "cache": write("Cache stampede", CACHE, services=("catalog",)),
        "outage": write("Checkout down for 41 minutes", OUTAGE, kind=Document.Kind.POSTMORTEM, services=("payments",)),
    }
