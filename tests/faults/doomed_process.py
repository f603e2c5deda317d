"""A web server, relay or worker that gets a signal at a point of its work: `python -m tests.faults.doomed_process POINT SIGNAL web|relay|worker …`.

The point is right after a call of the product; the signal goes to the whole process group, as a machine that fails takes all with it.
"""

import os
import signal
import sys
from importlib import import_module
from typing import Any

POINTS = {
    "raw event written": ("incidents.intake.storing", "_keep_raw"),
    "alert written": ("incidents.intake.alert_rows", "write"),
    "task asked for": ("incidents.intake.outbox", "enqueue"),
    "committed": ("incidents.intake.storing", "_write_batch"),
    "sent to the broker": ("copilot.management.commands.relay", "publish"),
    "marked as sent": ("incidents.intake.outbox", "publish_waiting"),
    "claimed": ("incidents.intake.outbox", "begin"),
    "incident opened": ("incidents.lifecycle", "open_for_alerts"),
    "grouped": ("incidents.grouping", "place"),
    "finished": ("incidents.intake.outbox", "finish"),
}


def doom(point: str, number: signal.Signals) -> None:
    """Have the process group get the signal when the point's call has done something."""
    module_name, name = POINTS[point]
    module = import_module(module_name)
    original = getattr(module, name)

    def deadly(*args: Any, **more: Any) -> Any:
        found = original(*args, **more)
        if found is None or found:
            os.killpg(0, number)
        return found

    setattr(module, name, deadly)


def main(point: str, signal_name: str, what: str, *options: str) -> None:
    """Run the process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "copilot.settings")
    import django

    django.setup()
    doom(point, signal.Signals[signal_name])
    if what == "web":
        import uvicorn

        uvicorn.run("copilot.asgi:application", port=int(options[0]), lifespan="off", log_level="warning")
    elif what == "relay":
        from django.core.management import call_command

        call_command("relay")
    else:
        from copilot.celery import app

        app.worker_main(["worker", *options])


if __name__ == "__main__":
    main(*sys.argv[1:])
