"""Why, in sentences: what speaks for a suspect, what clears a service, and what to look at next."""

import math
import re
from collections.abc import Sequence
from datetime import timedelta

from incidents.localization.arbitration import Explained, Verdict
from incidents.localization.findings import Lead
from incidents.localization.suspects import Finding, Modality, Suspect
from incidents.localization.topology import Edges, downstream

AROUND = timedelta(minutes=1)
LONGEST_TEMPLATE = 80  # characters
_SLOT = re.compile(r"<[^<>\s]*>")


def of_suspect(service: str, leads: Sequence[Lead]) -> str:
    """Return one sentence with the strongest finding of each aspect, at most three."""
    told: dict[str, Finding] = {}
    for lead in leads:
        told.setdefault(lead.aspect, lead.finding)
    if not told:
        return f"Nothing at {service} changed beyond what is usual."
    parts = [change(finding) for finding in list(told.values())[:3]]
    return f"At {service}, {_list(parts)}."


def change(finding: Finding) -> str:
    """Return what changed, with its numbers: "cpu_usage_pct rose from 6 to 88 %"."""
    name = finding.statistic
    if finding.template and finding.template not in name and not name.startswith("share of"):
        name = f"{name} “{_words(finding.template)}”"
    if math.isnan(finding.after):
        return f"{name} (changed {finding.onset_at:%H:%M:%S} UTC)" if finding.onset_at else name
    if math.isnan(finding.before):
        return f"{name} appeared ({amount(finding.after, finding.unit)})"
    verb = "rose" if finding.after >= finding.before else "fell"
    return f"{name} {verb} from {amount(finding.before, finding.unit)} to {amount(finding.after, finding.unit)}"


def amount(value: float, unit: str) -> str:
    """Return a value with its unit, three significant digits: "1.24 s", "3.1 ms", "87 %"."""
    if unit == "s":
        return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"
    if unit == "1":
        return f"{value * 100:.3g} %" if value <= 2 else f"{value:.3g}"
    return f"{value:.3g} {unit}".strip() if abs(value) < 1000 else f"{value:,.0f} {unit}".strip()


def of_explained(explained: Explained) -> str:
    """Return why a service is not the cause."""
    return (
        f"{explained.lead.service} looked suspicious ({change(explained.lead.finding)}), but {explained.by} below it accounts for that: "
        f"{change(explained.because.finding)}."
    )


def worth_telling(verdict: Verdict, *, leading: Sequence[str]) -> list[Explained]:
    """Return, for each service but the leading ones, its strongest lead that another accounts for; strongest first."""
    told: dict[str, Explained] = {}
    for one in sorted(verdict.explained, key=lambda one: -one.lead.strength):
        if one.lead.service not in leading:
            told.setdefault(one.lead.service, one)
    return list(told.values())


def next_check(suspects: Sequence[Suspect], *, missing: Sequence[Modality], edges: Edges) -> str:
    """Return the one check that would best tell the two leading suspects apart, as an instruction: what to look at, whose, and when."""
    named = [suspect for suspect in suspects if suspect.findings]
    if not named:
        blind = f" There are no {' and no '.join(missing)} for this window." if missing else ""
        return f"Widen the window: nothing beyond the usual was found in any service.{blind}"
    first = named[0]
    if len(named) == 1 or first.score >= 3 * named[1].score:
        return _confirm(first)
    return _separate(first, named[1], edges)


def _separate(first: Suspect, second: Suspect, edges: Edges) -> str:
    """A caller and what it calls differ in requests of the caller alone; others differ in one trace through both, or by who began."""
    when = _when(first.findings[0], second.findings[0])
    related = [
        (caller, callee)
        for caller, callee in ((first, second), (second, first))
        if callee.service in downstream(caller.service, edges=edges)
    ]
    traced = next((one.findings[0] for one in (first, second) if one.findings[0].trace_id), None)
    if len(related) == 1 and traced is not None:
        caller, callee = related[0]
        place = caller.findings[0].operation or "the requests"
        return (
            f"Look at {place} of {caller.service} in requests that do not reach {callee.service}{when} (compare with trace {traced.trace_id}): "
            f"as bad there, it is {caller.service}; as usual there, {callee.service}."
        )
    if traced is not None:
        return (
            f"Open a slow or failing trace that passes through both {first.service} and {second.service}{when} (start with trace {traced.trace_id}): "
            "the deeper of the two that deviates is the cause."
        )
    return (
        f"Compare when it began{when}: {first.findings[0].statistic} of {first.service} against {second.findings[0].statistic} of {second.service}; "
        "the cause departs first."
    )


def _when(*findings: Finding) -> str:
    """Return the minutes to look at, " between 02:43 and 02:46 UTC": from before the first onset to after the last; "" without one."""
    onsets = [finding.onset_at for finding in findings if finding.onset_at]
    if not onsets:
        return ""
    return f" between {min(onsets) - AROUND:%H:%M} and {max(onsets) + 2 * AROUND:%H:%M} UTC"


def _confirm(suspect: Suspect) -> str:
    finding = suspect.findings[0]
    if finding.modality is Modality.METRICS:
        return f"Check what uses up {finding.statistic} on {suspect.service}, and whether it began before the first slow request."
    if finding.statistic.endswith("without an answer"):
        return f"Check whether {suspect.service} was running and reachable at {finding.onset_at:%H:%M:%S} UTC: it left calls without an answer."
    if finding.template:
        return f"Read {suspect.service}'s lines “{_words(finding.template)}” with their stack traces."
    if finding.trace_id:
        return f"Open trace {finding.trace_id} and compare {finding.operation or suspect.service} in it with a trace from before the incident."
    return f"Look at {suspect.service}: {finding.statistic}."


def _words(template: str) -> str:
    """Return a template as people read it: dots where it varies, and none of its words in part."""
    text = _SLOT.sub("…", template)
    return text if len(text) <= LONGEST_TEMPLATE else f"{text[:LONGEST_TEMPLATE].rpartition(' ')[0]} …"


def _list(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
