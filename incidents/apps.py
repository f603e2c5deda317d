from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """The app `incidents`."""

    name = "incidents"
    default_auto_field = "django.db.models.BigAutoField"
