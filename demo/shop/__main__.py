"""Runs the shop by itself: `python -m demo.shop --database-url URL --redis-url URL [--endpoint URL] [--fault NAME]`."""

import argparse
import signal
import sys
import threading

from demo.shop.configuration import surroundings
from demo.shop.faults import FAULTS
from demo.shop.run import ShopFailed, ShopSettings, run_shop


def _arguments() -> argparse.Namespace:
    found = surroundings()
    parser = argparse.ArgumentParser(prog="python -m demo.shop", description="Run the demo shop until Ctrl-C.")
    parser.add_argument(
        "--endpoint", default=found.endpoint, help="where to send OTLP/HTTP (OTEL_EXPORTER_OTLP_ENDPOINT)"
    )
    parser.add_argument(
        "--database-url", default=found.database_url, help="PostgreSQL for the shop's own schema (DATABASE_URL)"
    )
    parser.add_argument(
        "--redis-url", default=found.redis_url, help="Valkey or Redis for the shop's own keys (REDIS_URL)"
    )
    parser.add_argument(
        "--fault", choices=sorted(FAULTS), help="what breaks after the quiet period; nothing by default"
    )
    parser.add_argument("--quiet", type=float, default=300, metavar="SECONDS", help="how long all is well first (300)")
    arguments = parser.parse_args()
    for option in ("database_url", "redis_url"):
        if not getattr(arguments, option):
            parser.error(f"give --{option.replace('_', '-')} or set {option.upper()}")
    return arguments


def main() -> int:
    """Run the shop until it is interrupted; the status is 1 when it fails."""
    arguments = _arguments()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        run_shop(
            ShopSettings(
                endpoint=arguments.endpoint, database_url=arguments.database_url, redis_url=arguments.redis_url
            ),
            fault=arguments.fault,
            quiet_seconds=arguments.quiet,
            stop=stop,
        )
    except ShopFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
