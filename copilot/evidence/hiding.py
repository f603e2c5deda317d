"""Puts stand-ins for personal data into everything that evidence says, before it is pinned: pages, answers and prompts see tokens alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from copilot.evidence.assessment import Assessment
from copilot.evidence.bundle import Evidence, EvidenceBundle
from copilot.evidence.located import Located
from copilot.privacy.cover import cover
from copilot.privacy.pseudonyms import Pseudonyms

# What code reads again, and what is found by: names, moments and numbers of our own.
_OURS = frozenset(
    {"at", "trace_id", "span_id", "times", "values", "low", "high", "unit", "slug", "file", "service", "cause", "hash"}
)


def hide(bundle: EvidenceBundle, pseudonyms: Pseudonyms) -> EvidenceBundle:
    """Return the bundle with secrets masked and personal data replaced by tokens. Raises HidingFailed. Doing it again changes nothing."""
    plain = partial(cover, pseudonyms=pseudonyms)
    return replace(
        bundle,
        items=tuple(item(each, pseudonyms) for each in bundle.items),
        hypotheses=tuple(replace(each, sentence=plain(each.sentence)) for each in bundle.hypotheses),
        gaps=tuple(map(plain, bundle.gaps)),
        next_check=plain(bundle.next_check),
        earlier=tuple(item(each, pseudonyms) for each in bundle.earlier),
        assessment=_assessment(bundle.assessment, plain) if bundle.assessment else None,
        located=_located(bundle.located, plain) if bundle.located else None,
    )


def _assessment(assessment: Assessment, plain: Callable[[str], str]) -> Assessment:
    return replace(
        assessment,
        because=plain(assessment.because),
        attempts=tuple(replace(one, answer=plain(one.answer)) for one in assessment.attempts),
    )


def _located(located: Located, plain: Callable[[str], str]) -> Located:
    return replace(
        located,
        suspects=tuple(
            replace(each, why=plain(each.why), place=plain(each.place), operation=plain(each.operation))
            for each in located.suspects
        ),
        cleared=tuple(replace(each, reason=plain(each.reason)) for each in located.cleared),
        spread=tuple(replace(each, what=plain(each.what)) for each in located.spread),
    )


def item(each: Evidence, pseudonyms: Pseudonyms) -> Evidence:
    """Return one item so; before items get their ids, since one that says the same keeps its own. Raises HidingFailed."""
    plain = partial(cover, pseudonyms=pseudonyms)
    return replace(
        each,
        title=plain(each.title),
        statement=plain(each.statement),
        excerpt=tuple(map(plain, each.excerpt)),
        query=plain(each.query),
        detail={name: _hidden(value, name, plain) for name, value in each.detail.items()},
    )


def _hidden(value: Any, name: str, plain: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return value if name in _OURS else plain(value)
    if isinstance(value, Mapping):
        return {key: _hidden(inner, str(key), plain) for key, inner in value.items()}
    if isinstance(value, list | tuple) and name not in _OURS:
        return [_hidden(inner, name, plain) for inner in value]
    return value
