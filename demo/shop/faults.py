"""The faults that the shop can have. Each is switched on in a running service and really causes what is then seen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One way to break the shop.

    `process` is where it is switched; `service` is the service that a person should blame, which is the one that calls
    when the broken one reports nothing. A fault with a `version` is a deploy of it, not a switch.
    """

    name: str
    process: str
    service: str
    kind: str
    conclusion: str
    version: str = ""


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            "leaked-connection-pool",
            process="payments",
            service="payments",
            kind="connection pool",
            conclusion="payments does not give its database connections back when a card is declined: all 5 are in use, checkouts wait 2 s and fail.",
        ),
        Fault(
            "missing-index",
            process="orders",
            service="orders",
            kind="database query",
            conclusion="orders finds a customer's orders without an index since migration 0042: each look-up reads the whole table, order history and checkout are slow.",
        ),
        Fault(
            "slow-downstream",
            process="card-provider",
            service="payments",
            kind="slow dependency",
            conclusion="the card provider that payments calls answers in seconds instead of 50 ms: checkouts are slow, some time out after 3 s.",
        ),
        Fault(
            "bad-deploy",
            process="catalog",
            service="catalog",
            kind="deploy",
            conclusion="catalog 2.4.0 cannot read multi-packs such as '6x210 ml' and answers 500 wherever one is shown: roll back to 2.3.1.",
            version="2.4.0",
        ),
        Fault(
            "cpu-hog",
            process="catalog",
            service="catalog",
            kind="cpu",
            conclusion="catalog rebuilds its recommendations without a pause and takes a whole CPU: everything it answers is slow.",
        ),
        Fault(
            "cache-stampede",
            process="catalog",
            service="catalog",
            kind="cache",
            conclusion="catalog's cache keeps nothing: every page runs its heavy query, the hit ratio is 0 and every page waits for PostgreSQL.",
        ),
    )
}
