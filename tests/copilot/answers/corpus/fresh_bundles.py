"""More incidents that claims are about: mail that is not delivered, a session store that forgets, and the files of an import that waits for locks."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from copilot.evidence.attached import gather
from copilot.evidence.attached.files import read
from copilot.evidence.bundle import EvidenceBundle, Hypothesis, Kind, Role
from copilot.privacy.pseudonyms import Pseudonyms
from tests.copilot.answers.cast import item, number

MAIL = EvidenceBundle(
    gathered_at=datetime(2026, 11, 24, 9, 31, tzinfo=UTC),
    incident_start=datetime(2026, 11, 24, 9, 12, tzinfo=UTC),
    incident_end=datetime(2026, 11, 24, 9, 31, tzinfo=UTC),
    services=("mailer", "gateway", "queue"),
    items=(
        item(
            "E1", Kind.METRIC, Role.SYMPTOM, "mailer", "mailer p95 response time of POST /send",
            "mailer p95 response time of POST /send rose to 4.8 s at 09:18:20 (usual 210 ms to 390 ms); it left its usual range at 09:12:00.",
            statistic={"peak": number(4.8031, "s"), "usual low": number(0.21, "s"), "usual high": number(0.3904, "s")},
        ),
        item(
            "E2", Kind.METRIC, Role.SYMPTOM, "gateway", "gateway share of failed requests",
            "gateway share of failed requests rose to 12.5 % at 09:19:00 (usual 0 % to 0.8 %); it left its usual range at 09:13:10.",
            statistic={"peak": number(0.125, "1"), "usual low": number(0.0, "1"), "usual high": number(0.008, "1")},
        ),
        item(
            "E3", Kind.METRIC, Role.CAUSE, "queue", "queue messages.ready",
            "queue messages.ready rose from 140 to 9,800 at 09:11:40.",
            statistic={"before": number(140, "{message}"), "after": number(9800, "{message}")},
        ),
        item(
            "E4", Kind.LOG, Role.CAUSE, "mailer", "New pattern in mailer logs",
            "mailer logged “connection to smtp-relay:25 refused (attempt 3)” 1,204 times during the incident, first at 09:11:52, and never in the window before; 12.1 % of POST /send log it.",
            statistic={"before": number(0, "lines"), "after": number(1204, "lines")},
            excerpt=("connection to smtp-relay:25 refused (attempt 3)", "connection to smtp-relay:25 refused (attempt 1)"),
        ),
        item(
            "E5", Kind.LOG, Role.CAUSE, "mailer", "Vanished pattern in mailer logs",
            "mailer stopped logging “delivered batch of 50 messages”: 212 lines in the window before, none during the incident.",
            statistic={"before": number(212, "lines"), "after": number(0, "lines")},
            excerpt=("delivered batch of 50 messages",),
        ),
        item(
            "E6", Kind.TRACE, Role.CAUSE, "mailer", "mailer own time of SMTP connect, p90",
            "mailer own time of SMTP connect, p90 rose from 9.5 ms to 4.5 s since 09:11:50. Example: a request of 4.71 s, 96 % of it in mailer SMTP connect.",
            statistic={"before": number(0.0095, "s"), "after": number(4.5, "s"), "example": number(4.71, "s"), "share": number(0.96, "1")},
            excerpt=("gateway POST /messages 4710.0 ms", "mailer POST /send 4698.2 ms", "mailer SMTP connect 4521.0 ms"),
        ),
        item(
            "E7", Kind.METRIC, Role.RIVAL, "indexer", "indexer process.memory.usage",
            "indexer process.memory.usage rose from 512 MiB to 780 MiB at 09:16:30.",
            statistic={"before": number(512 * 2**20, "By"), "after": number(780 * 2**20, "By")},
        ),
        item(
            "E8", Kind.METRIC, Role.AGAINST, "queue", "queue disk.utilization",
            "queue disk.utilization stayed at 41 %.",
            statistic={"before": number(0.411, "1"), "after": number(0.412, "1")},
        ),
        item(
            "E9", Kind.CHANGE, Role.CONTEXT, "smtp-relay", "Change: smtp-relay 3.4.1 → 3.5.0",
            "smtp-relay changed from 3.4.1 to 3.5.0 at 09:10:15, 1 min 45 s before the incident began (smtp-relay 3.5.0).",
            statistic={"before incident": number(105, "s")},
        ),
        item(
            "E10", Kind.CHANGE, Role.CONTEXT, "gateway", "Change: feature flag bulk-send on",
            "gateway changed at 09:20:30, 8 min 30 s after the incident began (feature flag bulk-send on).",
            statistic={"before incident": number(-510, "s")},
        ),
        item(
            "E11", Kind.METRIC, Role.CONTEXT, "gateway", "Traffic at gateway",
            "Traffic at gateway is higher: 61 per s during the incident, 31 per s before (1.97 ×).",
            statistic={"before": number(31.0, "1/s"), "after": number(61.0, "1/s"), "factor": number(1.97, "×")},
        ),
        item(
            "E12", Kind.PRECEDENT, Role.REMEDY, "mailer", "Similar incident INC-42",
            "INC-42 on 03 September 2026 showed the same 4 signals (mailer duration_p95, queue messages.ready, gateway error_ratio); resolved after 47 min 10 s.",
            statistic={"shared signals": number(4, "")}, excerpt=("Mail is not delivered",),
        ),
        item(
            "E13", Kind.PASSAGE, Role.REMEDY, "", "Runbook: Mail backlog, “Drain the queue”",
            "The runbook “Mail backlog”, “Drain the queue” (revision 4) fits these signals.",
            excerpt=("1. Stop bulk senders first. 2. Check that smtp-relay listens on port 25. 3. Roll the relay back to the last release if it refuses connections. 4. Drain the backlog in batches of 500; never purge the queue.",),
        ),
    ),
    hypotheses=(
        Hypothesis("smtp-relay", "mailer logs that its connections are refused, none before; it changed from 3.4.1 to 3.5.0 at 09:10:15", 0.81, "likely", ("E4", "E6", "E9")),
        Hypothesis("indexer", "process.memory.usage rose from 512 MiB to 780 MiB", 0.1, "possible", ("E7",)),
        Hypothesis("mailer", "what it shows is explained by smtp-relay", 0.0, "ruled out", (), ("E4", "E6")),
        Hypothesis("queue", "its disk.utilization stayed at 41 %", 0.0, "ruled out", (), ("E8",)),
    ),
    gaps=(),
    next_check="See whether smtp-relay listens on port 25.",
    edges=(("gateway", "mailer"), ("mailer", "queue"), ("indexer", "queue"), ("mailer", "smtp-relay")),
)  # fmt: skip

LOGIN = replace(
    MAIL,
    gathered_at=datetime(2026, 11, 25, 22, 58, tzinfo=UTC),
    incident_start=datetime(2026, 11, 25, 22, 40, tzinfo=UTC),
    incident_end=datetime(2026, 11, 25, 22, 58, tzinfo=UTC),
    services=("identity", "portal"),
    items=(
        item(
            "E1", Kind.METRIC, Role.SYMPTOM, "identity", "identity median response time of POST /token",
            "identity median response time of POST /token rose to 1.9 s at 22:44:30 (usual 40 ms to 75 ms); it left its usual range at 22:40:00.",
            statistic={"peak": number(1.902, "s"), "usual low": number(0.04, "s"), "usual high": number(0.075, "s")},
        ),
        item(
            "E2", Kind.METRIC, Role.SYMPTOM, "identity", "identity share of failed requests of POST /token",
            "identity share of failed requests of POST /token rose to 8.4 % at 22:46:00 (usual 0 % to 0.5 %); it left its usual range at 22:41:30.",
            statistic={"peak": number(0.084, "1"), "usual low": number(0.0, "1"), "usual high": number(0.005, "1")},
        ),
        item(
            "E3", Kind.METRIC, Role.SYMPTOM, "portal", "portal p99 response time",
            "portal p99 response time rose to 2.6 s at 22:45:10 (usual 180 ms to 420 ms); it left its usual range at 22:40:20.",
            statistic={"peak": number(2.61, "s"), "usual low": number(0.18, "s"), "usual high": number(0.42, "s")},
        ),
        item(
            "E4", Kind.METRIC, Role.CAUSE, "session-store", "session-store cache.evictions",
            "session-store cache.evictions rose from 0.4 per s to 220 per s at 22:39:50.",
            statistic={"before": number(0.4, "1/s"), "after": number(220.0, "1/s")},
        ),
        item(
            "E5", Kind.METRIC, Role.CAUSE, "session-store", "session-store memory.usage",
            "session-store memory.usage rose from 1.5 GiB to 3 GiB at 22:39:20.",
            statistic={"before": number(1.5 * 2**30, "By"), "after": number(3.0 * 2**30, "By")},
        ),
        item(
            "E6", Kind.LOG, Role.CAUSE, "session-store", "New pattern in session-store logs",
            "session-store logged “maxmemory reached, evicting key session:9f2c” 5,310 times during the incident, first at 22:39:50, and never in the window before.",
            statistic={"before": number(0, "lines"), "after": number(5310, "lines")},
            excerpt=("maxmemory reached, evicting key session:9f2c", "maxmemory reached, evicting key session:77ab"),
        ),
        item(
            "E7", Kind.LOG, Role.CAUSE, "identity", "Changed pattern in identity logs",
            "identity logged “session not found, forcing re-login” 840 times during the incident, more than the 12 in the window before; 7.9 % of POST /token log it.",
            statistic={"before": number(12, "lines"), "after": number(840, "lines")},
            excerpt=("session not found, forcing re-login",),
        ),
        item(
            "E8", Kind.TRACE, Role.CAUSE, "identity", "identity own time of LDAP bind, median",
            "identity own time of LDAP bind, median rose from 22 ms to 1.7 s since 22:40:05. Example: a request of 1.88 s, 91 % of it in identity LDAP bind.",
            statistic={"before": number(0.022, "s"), "after": number(1.7, "s"), "example": number(1.88, "s"), "share": number(0.91, "1")},
            excerpt=("portal POST /login 1880.0 ms", "identity POST /token 1822.4 ms", "identity LDAP bind 1710.8 ms"),
        ),
        item(
            "E9", Kind.METRIC, Role.RIVAL, "directory", "directory process.cpu.utilization",
            "directory process.cpu.utilization rose from 35 % to 92 % at 22:40:10.",
            statistic={"before": number(0.35, "1"), "after": number(0.92, "1")},
        ),
        item(
            "E10", Kind.METRIC, Role.AGAINST, "portal", "portal jvm.gc.pause",
            "portal jvm.gc.pause stayed at 12 ms.",
            statistic={"before": number(0.0118, "s"), "after": number(0.0121, "s")},
        ),
        item(
            "E11", Kind.CHANGE, Role.CONTEXT, "session-store", "Change: session-store 7.0.11 → 7.2.4",
            "session-store changed from 7.0.11 to 7.2.4 at 22:25:00, 15 min 0 s before the incident began (session-store 7.2.4).",
            statistic={"before incident": number(900, "s")},
        ),
        item(
            "E12", Kind.METRIC, Role.CONTEXT, "portal", "Traffic at portal",
            "Traffic at portal is lower: 18 per s during the incident, 26 per s before (0.69 ×).",
            statistic={"before": number(26.0, "1/s"), "after": number(18.0, "1/s"), "factor": number(0.69, "×")},
        ),
        item(
            "E13", Kind.PRECEDENT, Role.REMEDY, "", "Postmortem: Session store out of memory",
            "The postmortem “Session store out of memory” describes a similar outage.",
            excerpt=("The eviction policy was allkeys-lru with a limit of 3 GB. Users were logged out and signed in again at once, which overloaded the directory. We raised the limit to 6 GB and alert at 80 %.",),
        ),
        item(
            "E14", Kind.METRIC, Role.SYMPTOM, "identity", "identity replicas.ready",
            "identity replicas.ready dropped from 6 to 4 at 22:43:00.",
            statistic={"before": number(6, "{replica}"), "after": number(4, "{replica}")},
        ),
    ),
    hypotheses=(
        Hypothesis("session-store", "memory.usage rose from 1.5 GiB to 3 GiB; it logs that maxmemory is reached, which it did not before", 0.77, "likely", ("E4", "E5", "E6", "E7")),
        Hypothesis("directory", "process.cpu.utilization rose from 35 % to 92 %", 0.15, "possible", ("E9",)),
        Hypothesis("portal", "what it shows is explained by session-store", 0.0, "ruled out", (), ("E10",)),
    ),
    next_check="Look at the memory limit of session-store.",
    edges=(("portal", "identity"), ("identity", "session-store"), ("identity", "directory")),
)  # fmt: skip

_FROM = datetime(2026, 11, 26, 5, 0, tzinfo=UTC)
_LOG = "\n".join(
    (
        "2026-11-26T05:00:00Z INFO import 88 started with 4 workers",
        *(f"2026-11-26T05:0{2 + n}:10Z ERROR worker-{n % 2 + 1} lock wait timeout on table invoices after 30000 ms" for n in range(5)),
        "2026-11-26T05:07:40Z WARN retry budget exhausted for batch 17 (3 of 3 attempts)",
        "2026-11-26T05:08:02Z ERROR deadlock detected: process 4411 waits for ShareLock held by process 4390",
        "2026-11-26T05:12:00Z INFO import 88 aborted after 1,250 of 5,000 rows",
    )
)  # fmt: skip
_CSV = "at,rows_per_s,lock_waiters\n" + "\n".join(
    f"{(_FROM + timedelta(seconds=10 * n)).isoformat()},{max(400 - 6 * n, 40)},{n // 4}" for n in range(72)
)
_NODE = """Name:               node-7
Conditions:
  Type             Status  Reason                       Message
  MemoryPressure   False   KubeletHasSufficientMemory   kubelet has sufficient memory available
  DiskPressure     True    KubeletHasDiskPressure       kubelet has disk pressure
  Ready            True    KubeletReady                 kubelet is posting ready status
Events:
  Type     Reason             Age   From     Message
  Warning  EvictionThresholdMet  9m  kubelet  Attempting to reclaim ephemeral-storage
"""
_SPANS = {
    "data": [
        {
            "traceID": "ab12",
            "processes": {"p1": {"serviceName": "importer"}, "p2": {"serviceName": "ledger"}},
            "spans": [
                {"traceID": "ab12", "spanID": "01", "operationName": "POST /rows", "references": [], "startTime": 1795669300000000, "duration": 31200000, "processID": "p1", "tags": [{"key": "error", "type": "bool", "value": True}]},
                {"traceID": "ab12", "spanID": "02", "operationName": "UPDATE invoices", "references": [{"refType": "CHILD_OF", "traceID": "ab12", "spanID": "01"}], "startTime": 1795669300500000, "duration": 30100000, "processID": "p2", "tags": []},
            ],
        }
    ]
}  # fmt: skip
BATCH = gather.gather(
    gather.digest(
        [
            read(name, text.encode(), mask=lambda text: text)
            for name, text in (
                ("import.log", _LOG),
                ("rates.csv", _CSV),
                ("node.txt", _NODE),
                ("trace.json", json.dumps(_SPANS)),
            )
        ]
    ),
    "why was the import aborted?",
    now=datetime(2026, 11, 26, 5, 20, tzinfo=UTC),
    pseudonyms=Pseudonyms(),
)

FRESH = {"mail": MAIL, "login": LOGIN, "batch": BATCH}
