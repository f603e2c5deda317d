"""Records in Django's administration: to look at and to mend, by staff only."""

from django.contrib import admin

from incidents.models import Anomaly, Change, Incident, Investigation, OutboxMessage, Service, TimelineEntry


class TimelineInline(admin.TabularInline):  # type: ignore[type-arg]  # not subscriptable at run time
    """The timeline under its incident; what happened is not edited."""

    model = TimelineEntry
    extra = 0
    max_num = 0
    can_delete = False
    readonly_fields = ("kind", "happened_at", "known_at", "text", "actor")


@admin.register(Incident)
class IncidentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """Incidents with their timeline."""

    list_display = ("reference", "title", "severity", "status", "source", "opened_at")
    list_filter = ("status", "severity", "source")
    search_fields = ("title",)
    readonly_fields = ("last_event_number",)
    inlines = (TimelineInline,)


@admin.register(Investigation)
class InvestigationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """Investigations: which failed, and why."""

    list_display = ("incident", "state", "attempts", "requested_at", "finished_at", "failure")
    list_filter = ("state",)
    exclude = ("evidence", "brief")
    readonly_fields = ("incident", "requested_at", "finished_at", "stage_seconds")


@admin.register(Service)
class ServiceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """Services as telemetry described them."""

    list_display = ("name", "environment", "team", "version", "last_seen_at")
    search_fields = ("name",)


admin.site.register((Anomaly, Change, OutboxMessage))
