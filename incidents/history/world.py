"""The cast of the made-up year: teams, their people and services, what breaks, and how long that takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

from incidents.models import Incident

Cause = Incident.Cause

PREFIX, SUFFIX = "demo-", " (demo)"
SOURCE = "Made-up history (demo)"


@dataclass(frozen=True, slots=True)
class Crew:
    """A team, where and when it works, its people, its services, and how quickly it mends things (1 is usual, more is slower)."""

    name: str
    zone: str
    works_from: time
    works_until: time
    people: tuple[str, ...]
    services: tuple[str, ...]
    pace: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong: what the title says, what people wrote down, how often, and the median minutes until it is mended."""

    cause: Incident.Cause
    title: str
    text: str
    weight: float
    minutes: float
    alert: str


CREWS = (
    Crew(
        "Checkout" + SUFFIX,
        "Europe/Berlin",
        time(9),
        time(17, 30),
        ("demo-ada", "demo-ben", "demo-cleo"),
        ("demo-checkout", "demo-payments", "demo-invoices"),
        1.0,
    ),
    Crew(
        "Catalogue" + SUFFIX,
        "Europe/Lisbon",
        time(8, 30),
        time(17),
        ("demo-dora", "demo-emil"),
        ("demo-catalog", "demo-search", "demo-images"),
        0.8,
    ),
    Crew(
        "Customers" + SUFFIX,
        "America/New_York",
        time(9),
        time(18),
        ("demo-finn", "demo-gwen", "demo-hugo"),
        ("demo-accounts", "demo-mail", "demo-reviews"),
        1.3,
    ),
    Crew(
        "Platform" + SUFFIX,
        "Asia/Kolkata",
        time(10),
        time(19),
        ("demo-iris", "demo-juri", "demo-kaya", "demo-liam"),
        ("demo-gateway", "demo-queue", "demo-storage"),
        1.1,
    ),
)

TROUBLES = (
    Trouble(
        Cause.DEPLOY,
        "{service}: {n} % of requests fail after a deploy",
        "A deploy broke a call",
        5,
        38,
        "HighErrorRatio",
    ),
    Trouble(
        Cause.DEPLOY,
        "{service}: p99 is {n} × the usual since a deploy",
        "Connections leak since a deploy",
        3,
        52,
        "SlowRequests",
    ),
    Trouble(
        Cause.CONFIGURATION,
        "{service} refuses {n} % of requests",
        "A setting was rolled out to all at once",
        2,
        31,
        "HighErrorRatio",
    ),
    Trouble(Cause.CODE, "{service} restarts {n} times an hour", "A cache without a limit", 2, 95, "Restarting"),
    Trouble(
        Cause.CAPACITY,
        "{service} answers {n} × slower than usual",
        "Too few workers at the peak",
        3,
        64,
        "SlowRequests",
    ),
    Trouble(
        Cause.DEPENDENCY,
        "{service}: {n} % of calls to a provider time out",
        "A provider's outage",
        3,
        88,
        "UpstreamTimeouts",
    ),
    Trouble(Cause.INFRASTRUCTURE, "{service}: {n} of 60 instances are gone", "A node was lost", 2, 45, "InstancesDown"),
    Trouble(Cause.DATA, "{service} shows data {n} minutes old", "An import stopped half-way", 1.5, 140, "StaleData"),
    Trouble(Cause.UNKNOWN, "{service}: {n} % of requests fail", "", 2, 57, "HighErrorRatio"),
    Trouble(
        Cause.FALSE_ALARM,
        "{service}: no traffic for {n} minutes",
        "The probe was broken, not the service",
        1.5,
        12,
        "NoTraffic",
    ),
)

# Alerts that come and go without an incident: name, firings a week, share held, share silenced, whether it flaps.
CHATTER = (
    ("DiskNearlyFull", 14, 0.55, 0.10, False),
    ("CertificateExpiresSoon", 3, 0.0, 0.6, False),
    ("QueueLong", 26, 0.85, 0.0, True),
    ("PodPending", 18, 0.9, 0.05, False),
    ("ProbeFailed", 22, 0.7, 0.0, True),
    ("BackupLate", 4, 0.2, 0.5, False),
)
TAGS = ("black-friday", "customer-reported", "data-loss", "eu", "us", "slo-burn")

# What the fault looks like to localization, by what it came from.
FAMILIES = {
    Cause.DEPLOY: "error",
    Cause.CONFIGURATION: "error",
    Cause.CODE: "resource",
    Cause.CAPACITY: "resource",
    Cause.DEPENDENCY: "latency",
    Cause.INFRASTRUCTURE: "error",
    Cause.DATA: "code path",
}
# What people try, in the order in which they remember it: how it went, and what it was.
_RESTART = (("no help", "Restarted the instances"),)
TRIALS: dict[Cause, tuple[tuple[str, str], ...]] = {
    Cause.DEPLOY: (("fixed", "Rolled the deploy back"), ("worse", "Restarted all instances at once"), *_RESTART),
    Cause.CONFIGURATION: (("fixed", "Put the setting back"), ("no help", "Rolled the last deploy back")),
    Cause.CODE: (("fixed", "Set a limit on the cache"), ("worse", "Doubled the memory of every instance"), *_RESTART),
    Cause.CAPACITY: (("fixed", "Added workers"), *_RESTART),
    Cause.DEPENDENCY: (("fixed", "Switched to the second provider"), ("worse", "Raised the number of retries")),
    Cause.INFRASTRUCTURE: (("fixed", "Moved the instances to other nodes"), *_RESTART),
    Cause.DATA: (("fixed", "Ran the import again from its last good step"), ("no help", "Cleared the cache")),
    Cause.UNKNOWN: _RESTART,
    Cause.FALSE_ALARM: (("fixed", "Repaired the probe"),),
}
