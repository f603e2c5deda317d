#!/usr/bin/env python3
"""Runs the management commands: `manage.py help` lists them."""

import io
import os
import sys


def main() -> None:
    """Run one management command."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this message is for whoever starts it with an older one
        sys.exit(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}. "
            "Install python3.11 and run `make setup` again."
        )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # progress shows at once in a pipe or a log, too
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "copilot.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"A setting is wrong. {error}")


if __name__ == "__main__":
    main()
