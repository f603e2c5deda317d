"""A finding of localization in words, short enough to stand in a sentence with others."""

import re

from copilot.evidence.wording import clock, moved, quantity
from incidents.localization.suspects import Finding, Modality

LONGEST_QUOTE = 90
_PLACEHOLDER = re.compile(r"<[^<>\s]*>")
_QUANTILE = re.compile(r"^(.*), (median|p\d+)$")


def said(finding: Finding) -> str:
    """Return what changed, with its numbers, without the service's name: "median own time of POST /pay rose from 2 ms to 2 s"."""
    if finding.modality is Modality.CHANGES:
        versions = " to ".join(finding.exemplars)
        when = f" at {clock(finding.onset_at)}" if finding.onset_at else ""
        return (
            f"it changed from {versions}{when}"
            if len(finding.exemplars) > 1
            else f"it changed ({finding.statistic}){when}"
        )
    if finding.modality is Modality.LOGS and finding.template:
        return _line_said(finding)
    return f"{named(finding.statistic)} {moved(finding.before, finding.after, finding.unit)}"


def named(statistic: str) -> str:
    """Return a statistic as people say it: the quantile first, placeholders of log templates as dots."""
    found = _QUANTILE.match(statistic)
    return dotted(f"{found.group(2)} {found.group(1)}" if found else statistic)


def dotted(template: str) -> str:
    """Return a log template with each placeholder as "…"."""
    return re.sub(r"…(?:\s*…)+", "…", _PLACEHOLDER.sub("…", template))


def quoted(text: str) -> str:
    """Return a machine's words between quotation marks, cut at a word when long."""
    plain = " ".join(dotted(text).split())
    return f"“{plain}”" if len(plain) <= LONGEST_QUOTE else f"“{plain[:LONGEST_QUOTE].rsplit(' ', 1)[0]} …”"


def _line_said(finding: Finding) -> str:
    if finding.is_left_out and finding.unit == "1":
        before = "none did before" if not finding.before > 0 else f"{quantity(finding.before, '1')} before"
        return f"{quantity(finding.after, '1')} of {finding.operation} do not log {quoted(finding.template)}, {before}"
    if finding.is_left_out:
        return f"it no longer logs {quoted(finding.template)}"
    if finding.unit == "1":
        before = "none before" if not finding.before > 0 else f"{quantity(finding.before, '1')} before"
        return f"{quantity(finding.after, '1')} of {finding.operation} log {quoted(finding.template)}, {before}"
    if not finding.before > 0:
        return f"it logs {quoted(finding.template)}, which it did not before"
    return f"it logs {quoted(finding.template)} {finding.after / finding.before:.1f} × as often as before"
