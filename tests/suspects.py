"""Who is suspected in the cast's outage."""

from datetime import datetime, timedelta

from copilot.evidence.assessment import Assessment, Attempt, Cap, Certainty, Result
from copilot.evidence.located import Cleared, Departed, Located, LocatedSuspect


def located(*, since: datetime, first: float = 0.91, second: float = 0.05) -> Located:
    """Payments before checkout, with these chances; payments-db ruled out; what spread to whom."""

    def suspect(service: str, chance: float, why: str, place: tuple[str, str, str, str], *cites: str) -> LocatedSuspect:
        against = ("E5",) if service == "checkout" else ()
        return LocatedSuspect(service, chance, why, *place, since=since, supporting=cites, opposing=against)

    pool, errors = "db.client.connections.usage", "POST /checkout answered 503"
    return Located(
        is_named=first >= 0.75,
        lead=first - second,
        suspects=(
            suspect(
                "payments",
                first,
                "its database connections ran out first",
                ("resource", "resource", pool, ""),
                "E1",
                "E4",
            ),
            suspect(
                "checkout", second, "its errors came second", ("error", "log template", errors, "POST /checkout"), "E2"
            ),
        ),
        cleared=(Cleared("payments-db", "its processor and query times stayed as they were", ("E8",)),),
        spread=(
            Departed("payments", since, f"{pool} rose from 8 to 30"),
            Departed("checkout", since + timedelta(seconds=41), "failed requests rose from 0 % to 21 %"),
        ),
        missing=("logs",),
        requests=949,
    )


def assessment() -> Assessment:
    """Payments withstood one attempt to refute it; one is open and holds the confidence down."""
    return Assessment(
        service="payments",
        certainty=Certainty.LIKELY,
        calibrated=0.94,
        confidence=0.9,
        because="It withstood 1 of 2 attempts to refute it; the others are open.",
        caps=(Cap(0.9, "1 attempt to refute it could not be answered"),),
        attempts=(
            Attempt(
                "order",
                "Did payments go wrong only after the others?",
                Result.WITHSTOOD,
                "payments left its usual range at 02:44:20, 2 min 40 s before checkout.",
                ("E1", "E2"),
            ),
            Attempt(
                "reach",
                "Did services go wrong that payments cannot have harmed?",
                Result.OPEN,
                "Who calls whom is not known: there are no spans.",
            ),
        ),
        questions=(),
    )
