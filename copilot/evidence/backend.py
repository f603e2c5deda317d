"""Who answers for an incident: the live hot store with the changes that pipelines told, or the store that a replay filled."""

from django.conf import settings

from copilot.evidence.told_changes import WithToldChanges
from incidents.models import Incident
from incidents.telemetry.backend import TelemetryBackend
from incidents.telemetry.store import LIVE, HotStore


def backend_of(incident: Incident) -> TelemetryBackend:
    """Return the backend of an incident."""
    store = HotStore(settings.DATABASE_URL, schema=LIVE if incident.source == "live" else incident.source)
    return WithToldChanges(store) if incident.source == "live" else store
