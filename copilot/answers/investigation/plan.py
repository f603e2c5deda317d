"""What code looks up for a question, where no model does: what its words ask to see, to compare, or beyond what is pinned.

The same tools, the same checks and the same ledger as the loop's; a question that the pinned evidence answers looks nothing up.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from copilot.answers import naming
from copilot.answers.focus import About, about_of
from copilot.answers.investigation import running, toolbox
from copilot.answers.investigation.found import Sources
from copilot.answers.investigation.ledger import Ledger
from copilot.answers.investigation.running import Bench
from copilot.answers.investigation.scope import Scope, scope_of
from copilot.answers.investigation.toolbox import CallRefused
from copilot.evidence.bundle import EvidenceBundle

MOST_CALLS = 3
MOST_SERVICES = 2  # of a question
BEFORE, DAY = 15, 24 * 60  # minutes
Wanted = tuple[str, dict[str, Any]]  # a tool and its arguments

_LOGS = re.compile(r"\blogs?\b|\blog (?:lines?|messages?)\b|\blogged\b|\blines?\b|\bmessages?\b", re.IGNORECASE)
_TRACE = re.compile(r"\btraces?\b|\bwaterfall\b|\bspans?\b|\bslow(?:est)? request|\bfailed request", re.IGNORECASE)
_CALLS = re.compile(r"\btopology\b|\bdepend|\bneighbou?rs?\b|\bcalls?\b|\bcallers?\b|\bcallees?\b", re.IGNORECASE)
_FAILS = re.compile(r"\berrors?\b|\bfail|\bexception", re.IGNORECASE)
_PHRASE = re.compile(r"[\"“'‘`]([^\"”'’`]{2,120})[\"”'’`]")
_AGO = re.compile(r"\b(\d{1,4})\s*(?:h\b|hours?)|\b(\d{1,4})\s*(?:m\b|min(?:ute)?s?\b)", re.IGNORECASE)
_TODAY = re.compile(r"\btoday\b|\byesterday\b|\blast day\b|\b24 ?h|\blast night\b", re.IGNORECASE)
# How people call what a series measures, and what its name then holds.
_SPOKEN: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(words, re.IGNORECASE), names)
    for words, names in (
        (r"latenc|response time|duration|slow|\bp95\b", ("duration_p95",)),
        (r"\bp99\b", ("duration_p99",)),
        (r"\bp50\b|median", ("duration_p50",)),
        (r"error|fail", ("error_ratio",)),
        (r"traffic|throughput|requests?\b|load\b|\brps\b|\bqps\b", ("requests_per_second",)),
        (r"\bcpu\b|processor", ("cpu",)),
        (r"memory|heap|\brss\b|\bram\b", ("memory", "heap", "rss")),
        (r"connections?|\bpools?\b", ("pool", "connection")),
        (r"\bdisk|storage", ("disk", "fs")),
        (r"queue|backlog|\blag\b", ("queue", "lag", "backlog")),
    )
)


def look_up(question: str, sources: Sources, ledger: Ledger) -> None:
    """Run the calls that a question asks for, at most three; none where the pinned evidence answers it, or there is no telemetry."""
    if sources.backend is None or not question.strip():
        return
    named = naming.services_in(question, sources.bundle)[:MOST_SERVICES]
    about = about_of(question, named)
    if not _needs_more(about, question, named, sources.bundle):
        return
    scope = scope_of(sources)
    bench = Bench(scope, sources, ledger)
    for tool, values in list(_wanted(about, question, named or _suspects(sources.bundle), scope))[:MOST_CALLS]:
        try:
            call = toolbox.checked(tool, values, scope)
        except CallRefused:
            continue  # the question's words name what the incident does not know: there is nothing to look up
        running.look_up(call, bench, turn=1)


def _needs_more(about: About, question: str, named: Sequence[str], bundle: EvidenceBundle) -> bool:
    """Return whether the pinned evidence may not be enough: it holds what explains the incident, not all that one may want to see."""
    if about in (About.SHOW, About.COMPARE):
        return bool(named or _PHRASE.search(question) or any(words.search(question) for words, _ in _SPOKEN))
    if about is About.CHANGED:
        return _minutes_back(question) > 0
    unknown = [service for service in named if not any(item.service == service for item in bundle.items)]
    return (about is About.OTHER and bool(named)) or (about in (About.IS_CAUSE, About.WHAT) and bool(unknown))


def _wanted(about: About, question: str, services: Sequence[str], scope: Scope) -> Iterator[Wanted]:
    """Yield the calls that the words ask for."""
    if about is About.CHANGED:
        yield "list_changes", {"from_minute": -_minutes_back(question)}
        return
    for service in services:
        metrics = _metrics(question, service, scope)
        if about is About.SHOW:
            yield from _shown(question, service, scope)
        elif about in (About.COMPARE, About.OTHER) and metrics:
            yield "query_metrics", {"service": service, "metric": metrics[0]}
        elif about is not About.OTHER:
            end = max(round((scope.end - scope.start).total_seconds() / 60), 1)
            windows = {"first_from": -BEFORE, "first_to": 0, "second_from": 0, "second_to": end}
            yield "compare_windows", {"service": service, **windows}


def _shown(question: str, service: str, scope: Scope) -> Iterator[Wanted]:
    phrase = _PHRASE.search(question)
    back = {"from_minute": -back} if (back := _minutes_back(question)) else {}
    if _LOGS.search(question) or phrase:
        least = "error" if _FAILS.search(question) and not phrase else "any"
        text = {"text": phrase.group(1)} if phrase else {}
        yield "search_logs", {"service": service, "least_severity": least, **text, **back}
    elif _TRACE.search(question):
        pick = "failed" if _FAILS.search(question) else "typical" if "typical" in question.lower() else "slowest"
        yield "get_trace", {"service": service, "pick": pick, **back}
    elif metrics := _metrics(question, service, scope):
        for metric in metrics[:2]:
            yield "query_metrics", {"service": service, "metric": metric, **back}
    elif _CALLS.search(question):
        yield "show_topology", {"service": service}


def _metrics(question: str, service: str, scope: Scope) -> list[str]:
    """Return the service's metrics that the question names: word for word, else as people call them."""
    known = scope.metrics_of(service)
    text = question.casefold()
    exact = [name for name in known if re.search(rf"(?<![\w.]){re.escape(name.casefold())}(?![\w.])", text)]
    if exact:
        return exact
    parts = [part for words, names in _SPOKEN if words.search(question) for part in names]
    return [name for part in parts for name in known if part in name.casefold()]


def _suspects(bundle: EvidenceBundle) -> list[str]:
    """Return whom a question means that names nobody: the leading suspect, else the first that is affected."""
    leading = [hypothesis.service for hypothesis in bundle.hypotheses if hypothesis.verdict != "ruled out"]
    return [*leading, *bundle.services][:1]


def _minutes_back(question: str) -> int:
    """Return how far back the question wants to look, in minutes; 0 when it does not say."""
    found = _AGO.search(question)
    if found is None:
        return DAY if _TODAY.search(question) else 0
    minutes = int(found.group(1)) * 60 if found.group(1) else int(found.group(2))
    return min(minutes, DAY)
