"""The incidents of the newest batch of claims: films that are not converted, and the files of a web shop's entry."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from copilot.evidence.attached import gather
from copilot.evidence.attached.files import read
from copilot.evidence.bundle import Hypothesis, Kind, Role
from copilot.privacy.pseudonyms import Pseudonyms
from tests.copilot.answers.cast import item, number
from tests.copilot.answers.corpus.fresh_bundles import MAIL

FILMS = replace(
    MAIL,
    gathered_at=datetime(2026, 11, 27, 14, 30, tzinfo=UTC),
    incident_start=datetime(2026, 11, 27, 14, 2, 30, tzinfo=UTC),
    incident_end=datetime(2026, 11, 27, 14, 30, tzinfo=UTC),
    services=("transcoder", "uploads", "player"),
    items=(
        item(
            "E1", Kind.METRIC, Role.SYMPTOM, "transcoder", "transcoder p90 response time of POST /jobs",
            "transcoder p90 response time of POST /jobs rose to 48 s at 14:09:00 (usual 6.2 s to 9.5 s); it left its usual range at 14:02:30.",
            statistic={"peak": number(48.1, "s"), "usual low": number(6.2, "s"), "usual high": number(9.5, "s")},
        ),
        item(
            "E2", Kind.METRIC, Role.SYMPTOM, "uploads", "uploads share of failed requests of PUT /films/{id}",
            "uploads share of failed requests of PUT /films/{id} rose to 31 % at 14:11:20 (usual 0 % to 1.5 %); it left its usual range at 14:05:00.",
            statistic={"peak": number(0.312, "1"), "usual low": number(0.0, "1"), "usual high": number(0.015, "1")},
        ),
        item(
            "E3", Kind.METRIC, Role.SYMPTOM, "player", "player median response time",
            "player median response time rose to 640 ms at 14:10:30 (usual 90 ms to 160 ms); it left its usual range at 14:06:10.",
            statistic={"peak": number(0.64, "s"), "usual low": number(0.09, "s"), "usual high": number(0.16, "s")},
        ),
        item(
            "E4", Kind.METRIC, Role.CAUSE, "object-store", "object-store disk.io.wait",
            "object-store disk.io.wait rose from 3 % to 71 % at 14:02:10.",
            statistic={"before": number(0.03, "1"), "after": number(0.71, "1")},
        ),
        item(
            "E5", Kind.LOG, Role.CAUSE, "object-store", "New pattern in object-store logs",
            "object-store logged “raid rebuild in progress on md0, 12 % done” 64 times during the incident, first at 14:01:58, and never in the window before.",
            statistic={"before": number(0, "lines"), "after": number(64, "lines")},
            excerpt=("raid rebuild in progress on md0, 12 % done", "raid rebuild in progress on md0, 19 % done"),
        ),
        item(
            "E6", Kind.LOG, Role.CAUSE, "transcoder", "New pattern in transcoder logs",
            "transcoder logged “read of segment from object-store took longer than 20 s, giving up” 377 times during the incident, first at 14:02:41, and never in the window before; 44 % of POST /jobs log it.",
            statistic={"before": number(0, "lines"), "after": number(377, "lines")},
            excerpt=("read of segment from object-store took longer than 20 s, giving up",),
        ),
        item(
            "E7", Kind.TRACE, Role.CAUSE, "transcoder", "transcoder own time of GET segment, p90",
            "transcoder own time of GET segment, p90 rose from 1.1 s to 19 s since 14:02:35. Example: a request of 46.5 s, 83 % of it in transcoder GET segment.",
            statistic={"before": number(1.1, "s"), "after": number(19.0, "s"), "example": number(46.5, "s"), "share": number(0.83, "1")},
        ),
        item(
            "E8", Kind.LOG, Role.RIVAL, "player", "Changed pattern in player logs",
            "player logged “buffer underrun” 95 times during the incident, more than the 31 in the window before; 2.2 % of GET /watch log it.",
            statistic={"before": number(31, "lines"), "after": number(95, "lines")},
            excerpt=("buffer underrun",),
        ),
        item(
            "E9", Kind.METRIC, Role.AGAINST, "transcoder", "transcoder process.cpu.utilization",
            "transcoder process.cpu.utilization dropped from 88 % to 35 % at 14:03:10.",
            statistic={"before": number(0.88, "1"), "after": number(0.35, "1")},
        ),
        item(
            "E10", Kind.CHANGE, Role.CONTEXT, "player", "Change: player 12.4.0 → 12.5.1",
            "player changed from 12.4.0 to 12.5.1 at 14:15:00, 12 min 30 s after the incident began (player 12.5.1).",
            statistic={"before incident": number(-750, "s")},
        ),
        item(
            "E11", Kind.CHANGE, Role.CONTEXT, "object-store", "Change: disk sdc replaced",
            "object-store changed at 13:58:20, 4 min 10 s before the incident began (disk sdc replaced).",
            statistic={"before incident": number(250, "s")},
        ),
        item(
            "E12", Kind.METRIC, Role.CONTEXT, "uploads", "Traffic at uploads",
            "Traffic at uploads is as before: 3.9 per s during the incident, 4.1 per s before (0.95 ×).",
            statistic={"before": number(4.1, "1/s"), "after": number(3.9, "1/s"), "factor": number(0.95, "×")},
        ),
        item(
            "E13", Kind.PASSAGE, Role.REMEDY, "", "Runbook: Slow object store, “While an array rebuilds”",
            "The runbook “Slow object store”, “While an array rebuilds” (revision 7) fits these signals.",
            excerpt=("1. Lower the speed of the rebuild to 50 MB/s. 2. Pause bulk transcoding, not live streams. 3. Do not reboot the store: the rebuild would begin again. 4. Tell the video team when less than half of the array is left.",),
        ),
        item(
            "E14", Kind.PRECEDENT, Role.REMEDY, "object-store", "Similar incident INC-88",
            "INC-88 on 19 March 2026 showed the same 3 signals (transcoder duration_p90, object-store disk.io.wait, player duration_p50); resolved after 2 h 40 min.",
            statistic={"shared signals": number(3, "")}, excerpt=("Films stay unconverted",),
        ),
    ),
    hypotheses=(
        Hypothesis("object-store", "disk.io.wait rose from 3 % to 71 %; it logs that a raid rebuild is in progress, none before", 0.83, "likely", ("E4", "E5", "E6", "E7")),
        Hypothesis("player", "it logs buffer underrun 3.1 × as often as before", 0.07, "possible", ("E8",)),
        Hypothesis("transcoder", "what it shows is explained by object-store", 0.0, "ruled out", (), ("E9",)),
    ),
    next_check="See how far the rebuild of md0 is.",
    edges=(("uploads", "transcoder"), ("transcoder", "object-store"), ("player", "object-store")),
)  # fmt: skip

_ACCESS = "\n".join(
    f'10.0.0.{n % 4} - - [27/Nov/2026:08:1{n % 5}:0{n % 7} +0000] "GET /basket HTTP/1.1" {502 if n % 5 == 0 else 200} 512'
    for n in range(40)
)
_EVENTS = """LAST SEEN   TYPE      REASON             OBJECT              MESSAGE
4m          Warning   Unhealthy          pod/basket-5f6d     Readiness probe failed: Get "http://10.0.0.9:8080/ready": context deadline exceeded
3m          Warning   BackOff            pod/basket-5f6d     Back-off restarting failed container basket
"""
_APP = "\n".join(
    (
        "2026-11-27 08:09:30 INFO basket 6.1.0 listening on 8080",
        *(f"2026-11-27 08:1{n}:20 ERROR cannot allocate memory for session map ({900 + 20 * n} MB used)" for n in range(4)),
        "2026-11-27 08:14:40 FATAL out of memory, exiting with code 3",
        "2026-11-27 08:15:05 INFO basket 6.1.0 listening on 8080",
    )
)  # fmt: skip
_JSONL = "\n".join(
    json.dumps({"time": (datetime(2026, 11, 27, 8, 9, 30, tzinfo=UTC) + timedelta(seconds=5 * n)).isoformat(), "msg": "stats", "sessions": 1000 + 150 * n, "gc_ms": 4 + n})
    for n in range(60)
)  # fmt: skip
BASKET = gather.gather(
    gather.digest(
        [
            read(name, text.encode(), mask=lambda text: text)
            for name, text in (
                ("access.log", _ACCESS),
                ("events.txt", _EVENTS),
                ("basket.log", _APP),
                ("stats.jsonl", _JSONL),
            )
        ]
    ),
    "why does basket restart?",
    now=datetime(2026, 11, 27, 8, 20, tzinfo=UTC),
    pseudonyms=Pseudonyms(),
)


SEARCH = replace(
    MAIL,
    gathered_at=datetime(2026, 11, 27, 19, 0, tzinfo=UTC),
    incident_start=datetime(2026, 11, 27, 18, 31, tzinfo=UTC),
    incident_end=datetime(2026, 11, 27, 19, 0, tzinfo=UTC),
    services=("search-api", "suggest"),
    items=(
        item(
            "E1", Kind.METRIC, Role.SYMPTOM, "search-api", "search-api p99 response time of GET /find",
            "search-api p99 response time of GET /find rose to 7.4 s at 18:40:10 (usual 310 ms to 800 ms); it left its usual range at 18:31:00.",
            statistic={"peak": number(7.4, "s"), "usual low": number(0.31, "s"), "usual high": number(0.8, "s")},
        ),
        item(
            "E2", Kind.METRIC, Role.SYMPTOM, "suggest", "suggest share of failed requests",
            "suggest share of failed requests rose to 5.6 % at 18:38:00 (usual 0 % to 0.2 %); it left its usual range at 18:33:20.",
            statistic={"peak": number(0.056, "1"), "usual low": number(0.0, "1"), "usual high": number(0.002, "1")},
        ),
        item(
            "E3", Kind.METRIC, Role.CAUSE, "index-node", "index-node jvm.gc.pause",
            "index-node jvm.gc.pause rose from 25 ms to 3.2 s at 18:30:40.",
            statistic={"before": number(0.025, "s"), "after": number(3.2, "s")},
        ),
        item(
            "E4", Kind.METRIC, Role.CAUSE, "index-node", "index-node jvm.memory.heap.used",
            "index-node jvm.memory.heap.used rose from 4 GiB to 7.8 GiB at 18:29:30.",
            statistic={"before": number(4 * 2**30, "By"), "after": number(7.8 * 2**30, "By")},
        ),
        item(
            "E5", Kind.LOG, Role.CAUSE, "index-node", "New pattern in index-node logs",
            "index-node logged “circuit breaker: data for aggregation is 7.6 GB, limit 7 GB, query rejected” 208 times during the incident, first at 18:31:15, and never in the window before.",
            statistic={"before": number(0, "lines"), "after": number(208, "lines")},
            excerpt=("circuit breaker: data for aggregation is 7.6 GB, limit 7 GB, query rejected",),
        ),
        item(
            "E6", Kind.LOG, Role.CAUSE, "search-api", "Changed pattern in search-api logs",
            "search-api logged “partial result: 2 of 5 shards failed” 530 times during the incident, more than the 10 in the window before; 16 % of GET /find log it.",
            statistic={"before": number(10, "lines"), "after": number(530, "lines")},
            excerpt=("partial result: 2 of 5 shards failed",),
        ),
        item(
            "E7", Kind.TRACE, Role.CAUSE, "search-api", "search-api own time of POST /_search, median",
            "search-api own time of POST /_search, median rose from 60 ms to 2.1 s since 18:31:05. Example: a request of 6.9 s, 94 % of it in search-api POST /_search.",
            statistic={"before": number(0.06, "s"), "after": number(2.1, "s"), "example": number(6.9, "s"), "share": number(0.94, "1")},
        ),
        item(
            "E8", Kind.CHANGE, Role.CONTEXT, "search-api", "Change: search-api 3.9.2 → 3.10.0",
            "search-api changed from 3.9.2 to 3.10.0 at 18:28:45, 2 min 15 s before the incident began (search-api 3.10.0: facets by brand).",
            statistic={"before incident": number(135, "s")},
        ),
        item(
            "E9", Kind.METRIC, Role.AGAINST, "suggest", "suggest process.cpu.utilization",
            "suggest process.cpu.utilization stayed at 22 %.",
            statistic={"before": number(0.22, "1"), "after": number(0.221, "1")},
        ),
        item(
            "E10", Kind.METRIC, Role.CONTEXT, "search-api", "Traffic at search-api",
            "Traffic at search-api is higher: 96 per s during the incident, 70 per s before (1.37 ×).",
            statistic={"before": number(70.0, "1/s"), "after": number(96.0, "1/s"), "factor": number(1.37, "×")},
        ),
        item(
            "E11", Kind.PASSAGE, Role.REMEDY, "", "Runbook: Index nodes out of heap, “First aid”",
            "The runbook “Index nodes out of heap”, “First aid” (revision 3) fits these signals.",
            excerpt=("1. Find the query that aggregates most and switch its facet off. 2. Clear the field data cache. 3. Never raise the breaker's limit above 80 % of the heap. 4. Restart one node at a time, and wait until the cluster is green in between.",),
        ),
        item(
            "E12", Kind.PRECEDENT, Role.REMEDY, "index-node", "Similar incident INC-61",
            "INC-61 on 02 February 2026 showed the same 2 signals (index-node jvm.gc.pause, search-api duration_p99); open.",
            statistic={"shared signals": number(2, "")}, excerpt=("Search is slow",),
        ),
    ),
    hypotheses=(
        Hypothesis("index-node", "jvm.gc.pause rose from 25 ms to 3.2 s; it logs that queries are rejected, none before", 0.74, "likely", ("E3", "E4", "E5")),
        Hypothesis("search-api", "it changed from 3.9.2 to 3.10.0 at 18:28:45", 0.2, "possible", ("E6", "E7", "E8")),
        Hypothesis("suggest", "what it shows is explained by index-node", 0.0, "ruled out", (), ("E9",)),
    ),
    next_check="Find the query that aggregates most.",
    edges=(("search-api", "index-node"), ("suggest", "index-node")),
)  # fmt: skip

LAST = {"films": FILMS, "basket": BASKET, "search": SEARCH}
