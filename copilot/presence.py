"""Who has an incident's page open: one row for each open socket, renewed while it is there."""

from datetime import datetime, timedelta

from copilot.models import Presence

GONE_AFTER = timedelta(seconds=90)  # a socket whose process died says no goodbye


def enter(*, incident_id: int, user_id: int, socket: str, now: datetime) -> None:
    """Say that the page behind a socket is open; again, while it stays so. Who is long gone from the incident is forgotten."""
    Presence.objects.update_or_create(
        socket=socket, defaults={"incident_id": incident_id, "user_id": user_id, "seen_at": now}
    )
    Presence.objects.filter(incident_id=incident_id, seen_at__lt=now - GONE_AFTER).delete()


def leave(*, socket: str) -> None:
    """Say that the page behind a socket is closed."""
    Presence.objects.filter(socket=socket).delete()


def present(*, incident_id: int, now: datetime) -> list[str]:
    """Return the names of who has the page open, sorted, each once however many windows they have."""
    here = Presence.objects.filter(incident_id=incident_id, seen_at__gte=now - GONE_AFTER)
    return sorted(set(here.values_list("user__username", flat=True)))
