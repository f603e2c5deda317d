from django.apps import AppConfig


class CopilotConfig(AppConfig):
    """The app `copilot`: loading it makes its Celery application the one that tasks belong to."""

    name = "copilot"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from copilot import celery, checks  # noqa: F401
