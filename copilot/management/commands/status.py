"""`manage.py status`: what runs on this machine, since when, and how much memory it takes."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

import psutil
from django.conf import settings
from django.core.management.base import BaseCommand

from copilot.embedded import running


def memory_bytes(pid: int) -> int:
    """Return the memory of a process and its children, in bytes; a page that several share is counted once (Linux)."""
    total = 0
    try:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            full = each.memory_full_info()
            total += getattr(full, "pss", full.rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended just now, or is another user's
        return total
    return total


class Command(BaseCommand):
    """Ends with status 1 when nothing runs, 2 when something is not up."""

    help = "Show every service and process: state, process id, restarts, memory."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for a program to read")

    def handle(self, *args: Any, **options: Any) -> None:
        state = running.read_state(settings.VAR_DIR)
        if state is None:
            self.stdout.write(f"Nothing runs on {settings.VAR_DIR}. Start it with `manage.py up`.")
            raise SystemExit(1)
        memory = {each.name: memory_bytes(each.pid) for each in state.components if each.pid}
        memory["supervisor"] = memory_bytes(state.pid) - sum(memory.values())  # its children are the components
        if options["json"]:
            self.stdout.write(json.dumps(asdict(state) | {"memory_bytes": memory}))
        else:
            self.stdout.write(f"{state.url}  since {state.started_at}, supervisor is process {state.pid}")
            self.stdout.write(f"{'component':<14} {'state':<11} {'pid':>7} {'restarts':>8} {'memory':>8}  detail")
            for each in state.components:
                megabytes = f"{memory[each.name] / 1e6:.0f} MB" if each.name in memory else "-"
                self.stdout.write(
                    f"{each.name:<14} {each.state:<11} {each.pid or '-':>7} {each.restarts:>8} {megabytes:>8}  {each.detail}"
                )
            without_model = sum(size for name, size in memory.items() if name != "model-server")
            self.stdout.write(f"memory without the model: {without_model / 1e6:.0f} MB")
        if not all(each.state in {"running", "done", "managed"} for each in state.components):
            raise SystemExit(2)
