"""The incident that the tests of answers talk about: checkout is slow because the connection pool of payments is full."""

from datetime import UTC, datetime

from copilot.evidence.bundle import Evidence, EvidenceBundle, Hypothesis, Kind, Role

START = datetime(2026, 11, 20, 2, 43, 50, tzinfo=UTC)
END = datetime(2026, 11, 20, 2, 56, 0, tzinfo=UTC)


def number(value: float, unit: str) -> dict[str, object]:
    return {"value": value, "unit": unit}


def item(id_: str, kind: Kind, role: Role, service: str, title: str, statement: str, **more: object) -> Evidence:
    return Evidence(id_, kind, role, service, title, statement, START, END, **more)  # type: ignore[arg-type]


E1 = item(
    "E1", Kind.METRIC, Role.SYMPTOM, "checkout", "checkout p95 response time",
    "checkout p95 response time rose to 3.1 s at 02:47:10 (usual 120 ms to 180 ms); it left its usual range at 02:43:50.",
    statistic={"peak": number(3.1042, "s"), "usual low": number(0.12, "s"), "usual high": number(0.18, "s")},
)  # fmt: skip
E2 = item(
    "E2", Kind.METRIC, Role.SYMPTOM, "checkout", "checkout share of failed requests",
    "checkout share of failed requests rose to 22 % at 02:48:00 (usual 0 % to 0.4 %); it left its usual range at 02:44:20.",
    statistic={"peak": number(0.2216, "1"), "usual low": number(0.0, "1"), "usual high": number(0.004, "1")},
)  # fmt: skip
E3 = item(
    "E3", Kind.LOG, Role.CAUSE, "payments", "New line in payments logs",
    "payments logged “QueuePool limit of size 10 overflow 0 reached, connection timed out, timeout 3.00” 412 times during the incident, first at 02:44:03, and never in the window before.",
    statistic={"before": number(0, "lines"), "after": number(412, "lines")},
    excerpt=("QueuePool limit of size 10 overflow 0 reached, connection timed out, timeout 3.00",),
)  # fmt: skip
E4 = item(
    "E4", Kind.METRIC, Role.CAUSE, "payments", "payments db_pool_in_use",
    "payments db_pool_in_use rose from 3 connections to 10 connections at 02:43:40.",
    statistic={"before": number(3, "{connection}"), "after": number(10, "{connection}")},
)  # fmt: skip
E5 = item(
    "E5", Kind.TRACE, Role.CAUSE, "payments", "payments self time p90 of POST /charge",
    "payments self time p90 of POST /charge rose from 18 ms to 2.9 s at 02:43:50. Example: a request of 3.06 s, 97 % of it in payments POST /charge.",
    statistic={"before": number(0.018, "s"), "after": number(2.91, "s"), "example": number(3.06, "s"), "share": number(0.97, "1")},
)  # fmt: skip
E6 = item(
    "E6", Kind.METRIC, Role.RIVAL, "orders", "orders p95 response time",
    "orders p95 response time rose from 40 ms to 95 ms at 02:45:10.",
    statistic={"before": number(0.040, "s"), "after": number(0.095, "s")},
)  # fmt: skip
E7 = item(
    "E7", Kind.METRIC, Role.AGAINST, "database", "database cpu_usage_pct",
    "database cpu_usage_pct stayed at 14 %.",
    statistic={"before": number(14.1, "%"), "after": number(14.3, "%")},
)  # fmt: skip
E8 = item(
    "E8", Kind.METRIC, Role.CONTEXT, "frontend", "Traffic at frontend",
    "Traffic at frontend is as before: 41.3 per s during the incident, 40.8 per s before (1.01 ×).",
    statistic={"before": number(40.8, "1/s"), "after": number(41.3, "1/s"), "factor": number(1.01, "×")},
)  # fmt: skip
E9 = item(
    "E9", Kind.CHANGE, Role.CONTEXT, "payments", "Change: payments 1.8.0 to 1.9.0",
    "payments changed from version 1.8.0 to 1.9.0 at 02:31:00, 12 min 50 s before the incident (deploy payments 1.9.0).",
    statistic={"before incident": number(770, "s")},
)  # fmt: skip
E10 = item(
    "E10", Kind.PASSAGE, Role.REMEDY, "", "Runbook: Connection pool is exhausted, First aid",
    "The runbook “Connection pool is exhausted”, First aid (revision 2) fits these signals.",
    excerpt=("1. Restart one instance of the service and watch db_pool_in_use. 2. Roll back the last deploy if it leaks connections. 3. Raise the pool size only as a stopgap.",),
    detail={"text": "1. Restart one instance of the service and watch db_pool_in_use.\n2. Roll back the last deploy if it leaks connections.\n3. Raise the pool size only as a stopgap."},
)  # fmt: skip
E11 = item(
    "E11", Kind.PASSAGE, Role.REMEDY, "", "Runbook: Checkout is slow, Triage",
    "The runbook “Checkout is slow”, Triage (revision 1) fits these signals.",
    excerpt=("1. Compare the self time of checkout, orders and payments. 2. Look for waiting on connections.",),
    detail={"text": "1. Compare the self time of checkout, orders and payments.\n2. Look for waiting on connections."},
)  # fmt: skip
E12 = item(
    "E12", Kind.PRECEDENT, Role.REMEDY, "payments", "Similar incident INC-7",
    "INC-7 on 02 October 2026 showed the same 3 signals (checkout duration_p95, payments db_pool_in_use); it was resolved after 26 min.",
    statistic={"shared signals": number(3, "")},
)  # fmt: skip

BUNDLE = EvidenceBundle(
    gathered_at=END,
    incident_start=START,
    incident_end=END,
    services=("checkout", "payments"),
    items=(E1, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12),
    hypotheses=(
        Hypothesis(
            "payments", "payments waits for database connections: its pool is full", 0.71, "likely", ("E3", "E4", "E5")
        ),
        Hypothesis("orders", "orders answers more slowly", 0.12, "possible", ("E6",)),
        Hypothesis("database", "its CPU stayed at 14 %", 0.0, "ruled out", (), ("E7",)),
    ),
    gaps=("There were no metrics of the hosts for this time, so nothing rests on them.",),
    next_check="Compare db_pool_in_use of payments with the number of requests in flight.",
    edges=(("frontend", "checkout"), ("checkout", "payments"), ("checkout", "orders"), ("payments", "database")),
)
