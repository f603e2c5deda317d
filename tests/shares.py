"""A pytest plugin: how the tests are shared among worker processes (`pytest tests -n 3`), each of which has services of its own.

A share is a module, or the modules that use the same servers; one worker runs it whole. Without `-n` nothing here takes part.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# In the order in which they are begun: the longest first, so that no worker ends long after the others.
# What uses the same servers is in one share: they start once.
LONG = {
    "the site that runs": ("tests/journeys/test_main_job.py", "tests/copilot/management/commands/test_up.py"),
    "points": ("tests/faults/test_points.py",),
    "the front": ("tests/faults/test_bodies.py", "tests/faults/test_intake.py"),
    "types": ("tests/test_architecture.py",),
    "database": ("tests/faults/test_database.py",),
    "shop": ("tests/demo/shop/",),
    "kills": ("tests/faults/test_kills.py",),
    "sockets": ("tests/faults/test_sockets.py",),
    "a line that works": ("tests/faults/test_broker.py", "tests/faults/test_clock.py"),
    "schedule": ("tests/faults/test_schedule.py",),
    "intake": ("tests/incidents/test_api.py",),
    "queue": ("tests/faults/test_queue.py",),
    "board": ("tests/journeys/test_board.py",),
    "everybody": ("tests/journeys/test_everybody_can_use_it.py",),
    "restore": ("tests/faults/test_restore.py",),
}
MODULES = [(module, share) for share, modules in LONG.items() for module in modules]


def share_of(nodeid: str) -> str:
    """The share that a test belongs to."""
    module = nodeid.partition("::")[0]
    return next((share for begin, share in MODULES if module.startswith(begin)), module)


def place(item: pytest.Item) -> tuple[int, int]:
    """When a test's turn is.

    What empties the database comes after what only rolls back, as pytest-django has it: what migrations have written goes with the rest.
    """
    number = next((n for n, (begin, _) in enumerate(MODULES) if item.nodeid.startswith(begin)), len(MODULES))
    database = item.get_closest_marker("django_db")
    if "transactional_db" in item.fixturenames or (database and database.kwargs.get("transaction")):
        return 2, number
    if database or "db" in item.fixturenames:
        return 1, number
    return (0 if number < len(MODULES) else 3), number


def runs(nodeids: Sequence[str]) -> dict[str, str]:
    """The share of each test with the number of its run: a share that comes again after another is a further piece of work."""
    found: dict[str, str] = {}
    number, before = 0, ""
    for nodeid in nodeids:
        number += (share := share_of(nodeid)) != before
        before = share
        found[nodeid] = f"{number} {share}"
    return found


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: compressed ones hold the second at which they were made, and all workers must name a test alike."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    """Hand out whole shares in the order of `place`; a worker takes the next one when it is nearly done."""
    from xdist.scheduler import LoadScopeScheduling

    class Shares(LoadScopeScheduling):
        runs: dict[str, str] = {}

        def _split_scope(self, nodeid: str) -> str:
            self.runs = self.runs or runs(self.collection or ())
            return self.runs[nodeid]

    config.option.loadscopereorder = False
    return Shares(config, log)
