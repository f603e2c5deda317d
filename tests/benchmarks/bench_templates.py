"""Log lines grouped by template, per second on one core, beside drain3 on the same lines."""

import random
import time
from collections.abc import Callable, Sequence

from drain3.drain import Drain

from incidents.localization.log_mining import mine

LINES = 100_000
TARGET_LINES_PER_SECOND = 100_000
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "juniper")
PATTERNS = (
    "Accepted order {n} of customer {m} in {f:.1f} ms",
    "cache {w} missed key user:{m} after {d} tries",
    "search '{w} {v}' found {d} products",
    "connection {x:012x} from 10.0.{d}.{d}:{m} closed by {w}-{d}.example.com",
    "wrote /data/{w}/{n}.json ({n} bytes) for tenant {v}",
    "job {x:08x}-{d:04x}-4abc-8def-{x:012x} finished with status {w}",
    "GET /api/v1/{w}/{n} HTTP/1.1 status: 200 len: {n} time: {f}",
    "retrying {w} in {d} s: upstream {v} answered 503",
)
HEADER = "2026-03-14 09:{d:02}:00.{n:03} INFO [worker-{d}] shop.orders.service: "


def lines(*, raw: bool) -> list[str]:
    source = random.Random(5)
    made = []
    for _ in range(LINES):
        values = {
            "n": source.randrange(100_000),
            "m": source.randrange(5_000),
            "d": source.randrange(60),
            "f": source.random() * 100,
            "x": source.randrange(1 << 32),
            "w": source.choice(WORDS),
            "v": source.choice(WORDS),
        }
        made.append(((HEADER if raw else "") + source.choice(PATTERNS)).format(**values))
    return made


def ours(some: Sequence[str]) -> int:
    return len(mine(some).texts)


def drain3(some: Sequence[str]) -> int:
    tree = Drain(depth=4, sim_th=0.4, max_clusters=2_000)
    return len({tree.add_log_message(line)[0].cluster_id for line in some})


def timed(group: Callable[[Sequence[str]], int], some: Sequence[str]) -> tuple[float, int]:
    began = time.process_time()
    templates = group(some)
    return len(some) / (time.process_time() - began), templates


def test_templates() -> None:
    for raw in (False, True):
        some = lines(raw=raw)
        (speed, templates), (peer, peer_templates) = timed(ours, some), timed(drain3, some)
        print(
            f"\n{'Raw lines' if raw else 'Messages':10} {speed:9,.0f} lines/s (target {TARGET_LINES_PER_SECOND:,}), {templates} templates of {len(PATTERNS)};"
            f" drain3 {peer:9,.0f} lines/s, {peer_templates} templates; ratio {speed / peer:.1f}"
        )
