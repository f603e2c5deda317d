"""One readable cast for the pages: an outage of `payments`, investigated, explained and talked about.

Payments 2.14.0 leaks database connections. Checkout fails, storefront shows it, the database is fine. Mira is on call.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from copilot import people
from copilot.answers import brief as briefs
from copilot.evidence.bundle import Evidence, EvidenceBundle, Hypothesis, Kind, Role, to_json
from copilot.evidence.located import Located
from copilot.models import Claim, Message, ModelCall
from incidents.models import Incident, Investigation, TimelineEntry
from tests import suspects

START = datetime(2026, 11, 22, 2, 44, 20, tzinfo=UTC)
OPENED = START + timedelta(minutes=2, seconds=50)
END = START + timedelta(minutes=26)
TITLE = "Checkout fails: 31.4 % of its requests end in an error"
# What a hostile log line, span or model might say. On a page it must be nothing but these characters.
HOSTILE = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">![](http://canary.invalid/?q=1)[x](javascript:pwned)'


def mira(password: str | None = None) -> User:
    """The person on call; without a password she comes by a link."""
    return person("mira", "responder", password=password)


def person(name: str, role: str = "", *, password: str | None = None) -> User:
    """Somebody with a role (viewer, responder, SRE, manager, administrator), or with none."""
    user = User.objects.create_user(name, password=password)
    if role:
        people.give_role(user, role=role)
    return user


def incident(**changes: Any) -> Incident:
    """The incident alone, as detection opens it."""
    return Incident.objects.create(
        **{
            "title": TITLE,
            "severity": 1,
            "services": ["checkout", "payments", "storefront"],
            "source": "replay_payments_pool",
            "started_at": START,
            "opened_at": OPENED,
            "last_anomaly_at": END,
            **changes,
        }
    )


def investigated(of: Incident, **changes: Any) -> Investigation:
    """The investigation, ready, with its evidence and brief; and the timeline so far."""
    found = bundle(**changes)
    investigation, _ = Investigation.objects.update_or_create(
        incident=of,
        defaults={
            "state": Investigation.State.READY,
            "requested_at": OPENED,
            "finished_at": OPENED + timedelta(seconds=1.4),
            "evidence": to_json(found),
            "brief": briefs.to_json(briefs.write(found, title=TITLE)),
            "stage_seconds": {"fetch": 0.6, "rank": 0.5, "gather": 0.3},
        },
    )
    timeline(of)
    return investigation


def timeline(of: Incident) -> None:
    """What happened until Mira looked."""
    kinds = TimelineEntry.Kind
    for kind, seconds, known, text, actor in (
        (kinds.CHANGE, -192, -192, "payments 2.13.4 → 2.14.0", ""),
        (kinds.FAULT, 0, 170, "Fault begins: payments database connections leave their usual range", ""),
        (kinds.COPILOT, 170, 170, "Opened: 29 anomalies of 3 services belong together", ""),
        (kinds.COPILOT, 172, 172, "Brief ready", ""),
        (kinds.PERSON, 285, 285, "acknowledged", "mira"),
    ):
        TimelineEntry.objects.get_or_create(
            incident=of,
            kind=kind,
            happened_at=START + timedelta(seconds=seconds),
            text=text,
            defaults={"known_at": START + timedelta(seconds=known), "actor": actor},
        )


def question(of: Incident, by: User, text: str = "Why at 02:44 if the deploy was at 02:41?") -> Message:
    """A question and the answer that waits for its turn."""
    asked = Message.objects.create(incident=of, author=by, text=text, created_at=OPENED + timedelta(minutes=3))
    Message.objects.create(
        incident=of,
        from_copilot=True,
        question=asked,
        state=Message.State.WAITING,
        created_at=OPENED + timedelta(minutes=3),
    )
    return asked


def answered(of: Incident, by: User) -> Message:
    """A question with its checked answer: each verdict once, and a hostile sentence."""
    answer = question(of, by).answer
    for position, (text, cites, verdict, reason) in enumerate(
        (
            (
                "Each card retry keeps a connection, so the pool fills gradually after 02:41:08.",
                ["E4", "E6"],
                "supported",
                "",
            ),
            ("The deploy raised the pool from 20 to 60 connections.", ["E6"], "struck", "E6 does not contain 60."),
            ("The card provider answered normally all night.", [], "unverified", "No evidence is cited."),
            (HOSTILE, [], "unverified", "No evidence is cited."),
        )
    ):
        Claim.objects.create(message=answer, position=position, text=text, cites=cites, verdict=verdict, reason=reason)
    ModelCall.objects.create(
        message=answer,
        purpose="chat",
        model="local qwen2.5-coder-1.5b-instruct",
        prompt_tokens=1104,
        output_tokens=96,
        seconds=6.4,
        started_at=OPENED,
    )
    answer.state = Message.State.DONE
    answer.save()
    return answer


def bundle(*, items: tuple[Evidence, ...] | None = None, where: Located | None = None) -> EvidenceBundle:
    """Ten items, three hypotheses, one gap."""
    return EvidenceBundle(
        gathered_at=OPENED + timedelta(seconds=1),
        incident_start=START,
        incident_end=END,
        services=("checkout", "payments", "storefront"),
        items=items or evidence(),
        hypotheses=(
            Hypothesis(
                "payments",
                "its database connections ran out first, and its own time explains the callers' delay",
                0.71,
                "likely",
                ("E1", "E4", "E5", "E6"),
                (),
            ),
            Hypothesis(
                "checkout", "its errors came second and follow those of payments", 0.19, "possible", ("E2",), ("E5",)
            ),
            Hypothesis(
                "payments-db", "its processor and query times stayed as they were", 0.0, "ruled out", (), ("E8",)
            ),
        ),
        gaps=("Prometheus at 127.0.0.1:9090 refused the connection after 0.1 s; metrics of hosts are missing.",),
        next_check="Compare the connection pool's settings and use in payments 2.13.4 and 2.14.0.",
        edges=(
            ("storefront", "catalog"),
            ("storefront", "cart"),
            ("storefront", "checkout"),
            ("checkout", "cart"),
            ("checkout", "payments"),
            ("payments", "payments-db"),
        ),
        assessment=suspects.assessment(),
        located=where or suspects.located(since=START),
    )


def evidence() -> tuple[Evidence, ...]:
    """One item of each kind and role that the pages tell apart."""
    return (
        _metric(
            "E1",
            Role.CAUSE,
            "payments",
            "payments database connections in use",
            low=6,
            high=11,
            peak=40,
            unit="{connection}",
        ),
        _metric(
            "E2",
            Role.SYMPTOM,
            "checkout",
            "checkout share of failed requests",
            low=0.001,
            high=0.008,
            peak=0.314,
            unit="1",
        ),
        _metric("E3", Role.CONTEXT, "storefront", "Traffic at storefront", low=390, high=430, peak=412, unit="1/s"),
        _logs(),
        _trace(),
        _change(),
        _passage(),
        _metric("E8", Role.AGAINST, "payments-db", "payments-db CPU", low=0.15, high=0.3, peak=0.22, unit="1"),
        _postmortem(),
        _metric(
            "E10", Role.SYMPTOM, "payments", "payments p99 response time", low=0.38, high=0.52, peak=30.0, unit="s"
        ),
    )


def _change() -> Evidence:
    """The deploy that came before, as evidence."""
    return _item(
        "E6",
        Kind.CHANGE,
        Role.CONTEXT,
        "payments",
        "Change: payments 2.13.4 → 2.14.0",
        "payments changed from 2.13.4 to 2.14.0 at 02:41:08, 3 min 12 s before the incident began (retry card authorisation).",
        detail={
            "at": (START - timedelta(seconds=192)).isoformat(),
            "service": "payments",
            "version_before": "2.13.4",
            "version_after": "2.14.0",
        },
    )


def _passage() -> Evidence:
    """What a runbook says to do."""
    return _item(
        "E7",
        Kind.PASSAGE,
        Role.REMEDY,
        "",
        "Runbook: Connection pool exhausted, “Mitigate”",
        "The runbook “Connection pool exhausted”, “Mitigate” (revision 7) fits these signals.",
        excerpt=("If the pool fills within 15 minutes of a deploy and traffic is normal, roll back first.",),
        detail={
            "slug": "connection-pool-exhausted",
            "kind": "runbook",
            "heading": "Mitigate",
            "text": "1. Roll payments back to the version before.\n2. Watch connections in use fall below 12 for 5 minutes.\n3. Only then restart what still holds connections.",
            "revision": 7,
            "position": 2,
        },
    )


def _postmortem() -> Evidence:
    """An outage like this one."""
    return _item(
        "E9",
        Kind.PRECEDENT,
        Role.REMEDY,
        "",
        "Postmortem: Payments pool exhausted in August",
        "The postmortem “Payments pool exhausted in August” describes a similar outage.",
        excerpt=("A retry kept its session open. Rolled back after 11 minutes.",),
        detail={"slug": "payments-pool-august", "kind": "postmortem", "position": 0, "revision": 1},
    )


def _item(name: str, kind: Kind, role: Role, service: str, title: str, statement: str, **more: Any) -> Evidence:
    return Evidence(
        id=name,
        kind=kind,
        role=role,
        service=service,
        title=title,
        statement=statement,
        start=START - timedelta(minutes=30),
        end=END,
        **{"query": f'{kind.value}{{service="{service}"}}', "backend": "built-in store", **more},
    )


def _metric(
    name: str, role: Role, service: str, title: str, *, low: float, high: float, peak: float, unit: str
) -> Evidence:
    usual = (low + high) / 2
    times = [(START - timedelta(minutes=30)).timestamp() + 15 * i for i in range(224)]
    values: list[float | None] = [
        usual
        + (peak - usual) / (1 + math.exp(-(t - START.timestamp() - 240) / 60))
        + (high - low) * 0.3 * math.sin(t / 47)
        for t in times
    ]
    values[40:44] = [None] * 4  # nothing arrived for a minute
    unit_word = {"1": "%", "s": "s"}.get(unit, "")
    scale = 100 if unit == "1" else 1
    return _item(
        name,
        Kind.METRIC,
        role,
        service,
        title,
        f"{title} went to {peak * scale:g} {unit_word} at 02:52:00 (usual {low * scale:g} to {high * scale:g} {unit_word}).",
        statistic={
            "peak": {"value": peak, "unit": unit},
            "usual low": {"value": low, "unit": unit},
            "usual high": {"value": high, "unit": unit},
        },
        detail={"times": times, "values": values, "low": low, "high": high, "unit": unit, "label": title},
    )


def _logs() -> Evidence:
    bodies = (
        "QueuePool limit of size 30 overflow 10 reached, connection timed out, timeout 30.00",
        "authorise: card retry 1 of 3 after timeout, session kept open",
        HOSTILE,
        "pool status: size 30 overflow 10 checked out 40 idle 0",
    )
    return _item(
        "E4",
        Kind.LOG,
        Role.CAUSE,
        "payments",
        "New pattern in payments logs",
        "payments logged “QueuePool limit … timed out” 4,212 times during the incident, first at 02:46:12, and never in the window before.",
        statistic={"before": {"value": 0, "unit": "lines"}, "after": {"value": 4212, "unit": "lines"}},
        excerpt=bodies[:3],
        detail={
            "template": "QueuePool limit of size <*> overflow <*> reached",
            "count_before": 0,
            "count_after": 4212,
            "lines": [
                {
                    "at": (START + timedelta(seconds=112 + i)).isoformat(),
                    "severity": (17, 13, 9, 9)[i % 4],
                    "body": bodies[i % 4],
                    "trace_id": "8c1f02",
                }
                for i in range(20)
            ],
        },
    )


def _trace() -> Evidence:
    rows = (
        ("storefront", "POST /order", 0, 30_100, 0, True),
        ("cart", "GET /cart", 120, 18, 1, False),
        ("checkout", "POST /pay", 540, 29_500, 1, True),
        ("payments", "POST /charge", 660, 29_300, 2, True),
        ("payments", "pool.acquire", 690, 29_200, 3, True),
    )
    return _item(
        "E5",
        Kind.TRACE,
        Role.CAUSE,
        "payments",
        "payments self time of pool.acquire",
        "payments self time of pool.acquire rose from 2 ms to 29.2 s since 02:46:12. Example: a request of 30.1 s, 97 % of it in payments pool.acquire.",
        statistic={"before": {"value": 0.002, "unit": "s"}, "after": {"value": 29.2, "unit": "s"}},
        detail={
            "trace_id": "8c1f02aa",
            "span_count": 5,
            "spans": [
                {
                    "id": str(i),
                    "service": service,
                    "operation": operation,
                    "offset_ms": offset,
                    "duration_ms": duration,
                    "self_ms": duration,
                    "error": error,
                    "depth": depth,
                    "hot": operation == "pool.acquire",
                }
                for i, (service, operation, offset, duration, depth, error) in enumerate(rows)
            ],
        },
    )
