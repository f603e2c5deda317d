from django.apps import AppConfig


class RunbooksConfig(AppConfig):
    """The app `runbooks`."""

    name = "runbooks"
    default_auto_field = "django.db.models.BigAutoField"
