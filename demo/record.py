"""Records the demo shop's outages: `python -m demo.record FAULT… [--out DIR] [--database-url URL --redis-url URL]`.

Each recording is a quiet period and then one fault, in real time, as the shop's own OpenTelemetry SDK reported it.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from copilot.embedded import postgres, valkey
from copilot.embedded.child import Child
from demo.receiver import Receiver
from demo.shop.configuration import surroundings
from demo.shop.faults import FAULTS, Fault
from demo.shop.run import VERSIONS, Shop, ShopSettings, serving_customers
from incidents.telemetry.recording import RecordingWriter

RECORDINGS = Path(__file__).resolve().parent / "recordings"


@dataclass(frozen=True)
class Times:
    """How long each part of a recording takes, in seconds; the warm-up is not recorded."""

    warm_up: float = 60
    quiet: float = 360
    fault: float = 240


@dataclass(frozen=True)
class Truth:
    """What really happened, for people and for scores; no part of the program reads it."""

    fault: str
    service: str
    kind: str
    recorded_at: str
    injected_at: str
    ended_at: str
    requests_per_second: float
    versions: dict[str, str]
    conclusion: str


def _say(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")


def _wait(shop: Shop, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        shop.check()
        time.sleep(min(1.0, left))


def record(fault: Fault, *, folder: Path, settings: ShopSettings, times: Times) -> Truth:
    """Run the shop, break it, and write the folder's three files and `truth.json`; takes as long as `times` add up to.

    `settings.endpoint` is replaced by the recorder's own receiver.
    """
    with ExitStack() as stack:
        writer = stack.enter_context(RecordingWriter(folder))
        receiver = stack.enter_context(Receiver(writer.write))
        shop = stack.enter_context(Shop(replace(settings, endpoint=receiver.url)))
        stack.enter_context(serving_customers(shop))
        _say(f"{fault.name}: warming up for {times.warm_up:g} s")
        _wait(shop, times.warm_up)
        receiver.listening.set()
        recorded_at = datetime.now(UTC)
        _say(f"{fault.name}: quiet for {times.quiet:g} s")
        _wait(shop, times.quiet)
        injected_at = datetime.now(UTC)
        shop.switch(fault, on=True)
        _say(f"{fault.name}: broken for {times.fault:g} s")
        _wait(shop, times.fault)
        ended_at = datetime.now(UTC)
        receiver.listening.clear()
    return Truth(
        fault=fault.name,
        service=fault.service,
        kind=fault.kind,
        recorded_at=recorded_at.isoformat(timespec="milliseconds"),
        injected_at=injected_at.isoformat(timespec="milliseconds"),
        ended_at=ended_at.isoformat(timespec="milliseconds"),
        requests_per_second=settings.rate,
        versions={**VERSIONS, **({fault.process: fault.version} if fault.version else {})},
        conclusion=fault.conclusion,
    )


def own_servers(stack: ExitStack) -> tuple[str, str]:
    """Start a throw-away PostgreSQL and Valkey that end with the stack, and return their URLs."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-servers-")))
    folder.chmod(0o711)  # PostgreSQL may run as another user: it passes, and sees nothing
    cluster = postgres.prepare(data=folder / "postgres", sockets=folder / "sockets", durable=False)
    programs = (
        postgres.program(cluster),
        valkey.program(data=folder / "valkey", socket=folder / "valkey.sock", durable=False),
    )
    for program in programs:
        child = Child(program, log=folder / f"{program.name}.log")
        stack.callback(child.stop)
        child.start()
        child.wait_until_ready()
    return cluster.url(), valkey.url(folder / "valkey.sock")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.record", description=__doc__)
    parser.add_argument(
        "faults", nargs="*", metavar="FAULT", default=list(FAULTS), help=f"which: {', '.join(FAULTS)} (all)"
    )
    parser.add_argument("--out", type=Path, default=RECORDINGS, help="the folder to write one folder a fault into")
    parser.add_argument(
        "--database-url", default=surroundings().database_url, help="a PostgreSQL to use instead of a throw-away one"
    )
    parser.add_argument(
        "--redis-url", default=surroundings().redis_url, help="a Valkey or Redis to use instead of a throw-away one"
    )
    parser.add_argument("--rate", type=float, default=5.5, help="requests a second at the storefront")
    for name, seconds in asdict(Times()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=seconds, metavar="SECONDS")
    arguments = parser.parse_args()
    if unknown := set(arguments.faults) - set(FAULTS):
        parser.error(f"no fault {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    return arguments


def main() -> None:
    """Record the faults that the command line names, one after the other."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    times = Times(arguments.warm_up, arguments.quiet, arguments.fault)
    with ExitStack() as stack:
        database_url, redis_url = arguments.database_url, arguments.redis_url
        if not (database_url and redis_url):
            database_url, redis_url = own_servers(stack)
        for number, name in enumerate(arguments.faults):
            folder = arguments.out / name
            settings = ShopSettings(
                "", database_url, redis_url, rate=arguments.rate, seed=number + 1, schema="shop_recording"
            )
            truth = record(FAULTS[name], folder=folder, settings=settings, times=times)
            (folder / "truth.json").write_text(json.dumps(asdict(truth), indent=2) + "\n")
            size = sum(path.stat().st_size for path in folder.iterdir())
            _say(f"{name}: {size / 1e6:.2f} MB in {folder}")


if __name__ == "__main__":
    main()
