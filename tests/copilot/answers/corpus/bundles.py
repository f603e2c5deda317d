"""The incidents that the claims are about: a full connection pool, a bad deploy, a cache that expired at once, and attached files."""

from dataclasses import replace
from datetime import UTC, datetime

from copilot.evidence.attached import gather
from copilot.evidence.attached.files import read
from copilot.evidence.bundle import Evidence, EvidenceBundle, Hypothesis, Kind, Role
from copilot.privacy.pseudonyms import Pseudonyms
from tests.copilot.answers.cast import BUNDLE as POOL
from tests.copilot.answers.cast import number
from tests.copilot.answers.corpus.fresh_bundles import FRESH
from tests.copilot.answers.corpus.last_bundles import LAST

START, END = datetime(2026, 11, 21, 1, 3, 50, tzinfo=UTC), datetime(2026, 11, 21, 1, 14, 0, tzinfo=UTC)


def item(id_: str, kind: Kind, role: Role, service: str, statement: str, **more: object) -> Evidence:
    return Evidence(id_, kind, role, service, statement.partition(" rose")[0][:60], statement, START, END, **more)  # type: ignore[arg-type]


DEPLOY = EvidenceBundle(
    gathered_at=END,
    incident_start=START,
    incident_end=END,
    services=("storefront", "catalog"),
    items=(
        item(
            "E1", Kind.METRIC, Role.SYMPTOM, "catalog",
            "catalog share of failed requests rose to 40.6 % at 01:07:30 (usual 0 % to 5.73 %); it left its usual range at 01:04:00.",
            statistic={"peak": number(0.40625, "1"), "usual low": number(0.0, "1"), "usual high": number(0.0573, "1")},
        ),
        item(
            "E2", Kind.METRIC, Role.SYMPTOM, "storefront",
            "storefront share of failed requests rose to 37.1 % at 01:07:30 (usual 0 % to 4.78 %); it left its usual range at 01:04:00.",
            statistic={"peak": number(0.37143, "1"), "usual low": number(0.0, "1"), "usual high": number(0.0478, "1")},
        ),
        item(
            "E3", Kind.METRIC, Role.SYMPTOM, "catalog",
            "catalog p99 response time rose to 74.6 ms at 01:07:10 (usual 0 µs to 7.81 ms); it left its usual range at 01:06:10.",
            statistic={"peak": number(0.07463, "s"), "usual low": number(0.0, "s"), "usual high": number(0.0078, "s")},
        ),
        item(
            "E4", Kind.LOG, Role.CAUSE, "catalog",
            "catalog logged “GET /products/{id} failed: ValueError: could not convert string to float: '6x210'” 96 times during the incident, first at 01:04:01, and never in the window before; 21.6 % of GET /products/{id} log it.",
            statistic={"before": number(0, "lines"), "after": number(96, "lines")},
            excerpt=("GET /products/{id} failed: ValueError: could not convert string to float: '6x210'",),
        ),
        item(
            "E5", Kind.TRACE, Role.CAUSE, "catalog",
            "catalog own time of GET /products/{id}, p90 rose from 374 µs to 1.26 ms since 01:03:50. Example: a request of 28.3 ms, 80 % of it in catalog GET /products/{id}.",
            statistic={"before": number(0.000374, "s"), "after": number(0.00126, "s"), "example": number(0.02826, "s"), "share": number(0.8, "1")},
        ),
        item(
            "E6", Kind.LOG, Role.CAUSE, "catalog",
            "catalog logged “GET /search failed: ValueError: could not convert string to float: '6x210'” 163 times during the incident, first at 01:03:59, and never in the window before; 34.1 % of GET /search log it.",
            statistic={"before": number(0, "lines"), "after": number(163, "lines")},
            excerpt=("GET /search failed: ValueError: could not convert string to float: '6x210'",),
        ),
        item(
            "E7", Kind.METRIC, Role.CONTEXT, "storefront",
            "Traffic at storefront is as before: 4.7 per s during the incident, 5.3 per s before (0.89 ×).",
            statistic={"before": number(5.3, "1/s"), "after": number(4.7, "1/s"), "factor": number(0.89, "×")},
        ),
        item(
            "E8", Kind.CHANGE, Role.CONTEXT, "catalog",
            "catalog changed from 2.3.1 to 2.4.0 at 01:03:58, 9 s after the incident began (catalog 2.3.1 → 2.4.0).",
            statistic={"before incident": number(-8.8, "s")},
        ),
        item(
            "E9", Kind.PASSAGE, Role.REMEDY, "",
            "The runbook “Bad deploy of the catalog”, First aid (revision 1) fits these signals.",
            excerpt=("1. Compare the version of each instance. 2. Roll back to the last version that worked. 3. Freeze deploys of the catalog.",),
        ),
        item(
            "E10", Kind.METRIC, Role.AGAINST, "database",
            "database cpu.utilization stayed at 11 %.",
            statistic={"before": number(0.112, "1"), "after": number(0.114, "1")},
        ),
        item(
            "E11", Kind.METRIC, Role.RIVAL, "cart",
            "cart p95 response time rose from 8.2 ms to 12.9 ms at 01:08:20.",
            statistic={"before": number(0.0082, "s"), "after": number(0.0129, "s")},
        ),
    ),
    hypotheses=(
        Hypothesis("catalog", "21.6 % of GET /products/{id} fail with a ValueError, none before", 0.9, "likely", ("E4", "E5", "E6")),
        Hypothesis("cart", "cart answers a little more slowly", 0.11, "possible", ("E11",)),
        Hypothesis("storefront", "what it shows is explained by catalog", 0.0, "ruled out", (), ("E4",)),
        Hypothesis("database", "its CPU stayed at 11 %", 0.0, "ruled out", (), ("E10",)),
    ),
    gaps=(),
    next_check="Compare the version that each instance of catalog runs.",
    edges=(("storefront", "catalog"), ("storefront", "cart"), ("catalog", "database")),
)  # fmt: skip

CACHE = replace(
    DEPLOY,
    incident_start=datetime(2026, 11, 21, 1, 26, 50, tzinfo=UTC),
    incident_end=datetime(2026, 11, 21, 1, 36, 0, tzinfo=UTC),
    services=("catalog", "storefront"),
    items=(
        item(
            "E1", Kind.METRIC, Role.SYMPTOM, "catalog",
            "catalog p95 response time rose to 387 ms at 01:27:50 (usual 0 µs to 5.65 ms); it left its usual range at 01:26:50.",
            statistic={"peak": number(0.38714, "s"), "usual low": number(0.0, "s"), "usual high": number(0.00565, "s")},
        ),
        item(
            "E2", Kind.METRIC, Role.SYMPTOM, "storefront",
            "storefront p99 response time rose to 651 ms at 01:27:50 (usual 55.6 ms to 139 ms); it left its usual range at 01:27:00.",
            statistic={"peak": number(0.65109, "s"), "usual low": number(0.0556, "s"), "usual high": number(0.1387, "s")},
        ),
        item(
            "E3", Kind.TRACE, Role.CAUSE, "catalog",
            "catalog share of GET /products/{id} that takes another path rose from 1.01 % to 97.6 % since 01:26:55. Example: a request of 11 ms, 49 % of it in catalog SELECT products.",
            statistic={"before": number(0.0101, "1"), "after": number(0.9764, "1"), "example": number(0.011, "s"), "share": number(0.49, "1")},
        ),
        item(
            "E4", Kind.METRIC, Role.CAUSE, "catalog",
            "catalog cache.hit.ratio dropped from 98.2 % to 0 % at 01:27:04.",
            statistic={"before": number(0.98246, "1"), "after": number(0.0, "1")},
        ),
        item(
            "E5", Kind.TRACE, Role.CAUSE, "catalog",
            "catalog own time of SELECT products, median rose from 768 µs to 5.38 ms since 01:26:55. Example: a request of 542 ms, 99 % of it in catalog SELECT products.",
            statistic={"before": number(0.000768, "s"), "after": number(0.00538, "s"), "example": number(0.542, "s"), "share": number(0.99, "1")},
        ),
        item(
            "E6", Kind.METRIC, Role.CONTEXT, "storefront",
            "Traffic at storefront is as before: 5.2 per s during the incident, 5 per s before (1.04 ×).",
            statistic={"before": number(5.0, "1/s"), "after": number(5.2, "1/s"), "factor": number(1.04, "×")},
        ),
        item(
            "E7", Kind.METRIC, Role.CONTEXT, "database",
            "database memory.usage rose from 412 MiB to 1.2 GiB at 01:28:10.",
            statistic={"before": number(412 * 2**20, "By"), "after": number(1.2 * 2**30, "By")},
        ),
        item(
            "E8", Kind.PRECEDENT, Role.REMEDY, "catalog",
            "INC-31 on 04 May 2026 showed the same 5 signals (catalog duration_p95, catalog cache.hit.ratio); it was resolved after 1 h 12 min.",
            statistic={"shared signals": number(5, "")},
        ),
        item(
            "E9", Kind.PASSAGE, Role.REMEDY, "",
            "The runbook “Cache stampede”, First aid (revision 3) fits these signals.",
            excerpt=("1. Warm the cache with the products list. 2. Spread the expiry times. 3. Let one request fill an entry while the others wait.",),
        ),
        item(
            "E10", Kind.METRIC, Role.RIVAL, "orders",
            "orders cpu.utilization rose from 22 % to 31 % at 01:29:00.",
            statistic={"before": number(0.22, "1"), "after": number(0.31, "1")},
        ),
    ),
    hypotheses=(
        Hypothesis("catalog", "cache.hit.ratio dropped from 98.2 % to 0 %", 0.92, "likely", ("E3", "E4", "E5")),
        Hypothesis("orders", "its CPU rose a little", 0.12, "possible", ("E10",)),
        Hypothesis("storefront", "what it shows is explained by catalog", 0.0, "ruled out", (), ("E3",)),
    ),
    next_check="Look at the expiry times of the cache's entries.",
    edges=(("storefront", "catalog"), ("storefront", "orders"), ("catalog", "database")),
)  # fmt: skip

_LOG = "\n".join(
    (
        "2026-11-21 02:00:00 INFO started version 4.1.7",
        *(f"2026-11-21 02:1{i}:05 ERROR upload failed: no space left on device /var/spool" for i in range(6)),
        "2026-11-21 02:05:30 WARN disk usage 93 % on /var",
        *(f"2026-11-21 02:20:{i:02} INFO report rendered in {3 + i / 10:.1f} seconds" for i in range(30)),
    )
)
_POD = """Name:             uploader-77c
Containers:
  uploader:
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       OOMKilled
      Exit Code:    137
    Ready:          False
    Restart Count:  6
"""
FILES = gather.gather(
    gather.digest(
        [
            read("uploader.log", _LOG.encode(), mask=lambda text: text),
            read("describe.txt", _POD.encode(), mask=lambda text: text),
        ]
    ),
    "how long do reports take to render?",
    now=END,
    pseudonyms=Pseudonyms(),
)

BUNDLES = {"pool": POOL, "deploy": DEPLOY, "cache": CACHE, "files": FILES, **FRESH, **LAST}
