"""Remembers what telemetry's resources say about services: environment, team, version."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import connection

from incidents.telemetry.datamodel import ServiceTags

log = logging.getLogger(__name__)

LAST_SEEN_EVERY = timedelta(minutes=1)
MOST_SERVICES = 5_000  # a sender that puts an id into service.name must not fill the table
UPSERT = """
    INSERT INTO incidents_service (name, environment, team, version, first_seen_at, last_seen_at)
    VALUES (%(service)s, %(environment)s, %(team)s, %(version)s, %(now)s, %(now)s)
    ON CONFLICT (name) DO UPDATE SET
        environment = coalesce(nullif(excluded.environment, ''), incidents_service.environment),
        team = coalesce(nullif(excluded.team, ''), incidents_service.team),
        version = coalesce(nullif(excluded.version, ''), incidents_service.version),
        last_seen_at = greatest(incidents_service.last_seen_at, excluded.last_seen_at)
"""
_written: dict[str, tuple[ServiceTags, datetime]] = {}  # what this process last wrote, and when


def remember(tags: Mapping[str, ServiceTags], *, now: datetime) -> None:
    """Write the services that are new, said something new, or were last written a minute ago; what a resource leaves out stays."""
    due = [tag for name, tag in sorted(tags.items()) if _is_due(tag, _written.get(name), now=now)]
    if len(_written) + len(due) > MOST_SERVICES:
        unlisted = [tag.service for tag in due if tag.service not in _written]
        due = [tag for tag in due if tag.service in _written]
        log.warning(
            "More than %d services: %s is not listed. Is an id in service.name?", MOST_SERVICES, ", ".join(unlisted[:3])
        )
    if not due:
        return
    with connection.cursor() as cursor:
        cursor.executemany(UPSERT, [{**tag._asdict(), "now": now} for tag in due])
    _written.update({tag.service: (tag, now) for tag in due})


def _is_due(tag: ServiceTags, written: tuple[ServiceTags, datetime] | None, *, now: datetime) -> bool:
    return written is None or written[0] != tag or now - written[1] >= LAST_SEEN_EVERY


def forget() -> None:
    """Forget what was written, for example because the rows were deleted."""
    _written.clear()
