"""What a question is about: which evidence answers it, and the sentences that code can already say. The model adds to these, or is not needed."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from copilot.answers import brief as briefs
from copilot.answers import naming
from copilot.answers.claims import CheckedClaim, Verdict
from copilot.evidence.assessment import Result
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind, Role
from copilot.evidence.wording import joined, percent

MOST_COMPUTED = 3
MOST_LISTED = 5  # where the question asks for a list: what to do, what differs, what to show
MOST_RELEVANT = 6
AS_IT_BEGAN_SECONDS = 60  # the start of an incident is known to about a minute
MOST_ATTACHED = 6  # findings in attached files that are told when these are asked about


class About(StrEnum):
    """Kinds of questions that are answered differently."""

    EXPLAIN = "explain"  # no question: the first explanation
    SINCE = "since"
    BEFORE = "before"
    CHANGED = "changed"
    IS_CAUSE = "is cause"
    RULED_OUT = "ruled out"
    UNSEEN = "unseen"
    NOW = "now"
    AFFECTED = "affected"
    COMPARE = "compare"
    SHOW = "show"
    WHY = "why"
    WHAT = "what"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Focus:
    """`computed` are sentences by code, shown first; `relevant` are evidence ids, the most telling first."""

    about: About
    computed: tuple[CheckedClaim, ...]
    relevant: tuple[str, ...]


# The first pattern that fits decides; the more specific ones stand first.
_PATTERNS: tuple[tuple[About, re.Pattern[str]], ...] = tuple(
    (about, re.compile(pattern, re.IGNORECASE))
    for about, pattern in (
        (About.BEFORE, r"\bbefore\?|happened before|seen (?:this|it) before|last time|previous(?:ly)? incident|similar incident|past incident|again\?|recurr|history|earlier incident|postmortem"),
        (About.UNSEEN, r"(?:could|can)(?:n't| not|not) (?:you )?(?:see|tell)|what(?:'s| is) missing|blind spot|not see|unknown|data missing|gaps?\b"),
        (About.COMPARE, r"\bcompar|\bdiffer|\bversus\b|\bvs\b|than (?:usual|before|normal)|before and (?:during|after|now)"),
        (About.CHANGED, r"\bchange[ds]?\b|\bdeploy|\brelease|roll-?out|\bversion|\bupgrade|new version|\bconfig"),
        (About.SINCE, r"since when|when did|what time|how long|start(?:ed)? (?:at|when)|\bbegin|\bbegan|first sign|onset"),
        (About.NOW, r"what (?:now|next|should|can|must|do (?:we|i))|how (?:do|can|to|should) (?:we|i|you)?.*(?:fix|mitigat|stop|resolve|solve|repair)|next step|\bfix\b|mitigat|remed|runbook|roll ?back|what to do|next check|should (?:we|i)\b"),
        (About.RULED_OUT, r"ruled? out|exclud|innocent|what (?:is|was)(?:n't| not)|not the cause"),
        (About.AFFECTED, r"\bwho\b|affected|\bimpact|blast radius|which services|customers?\b|users?\b|how bad|severity|downstream|upstream"),
        (About.WHY, r"\bwhy\b|root cause|\bcaus|\breason|explain|what (?:broke|happened|went wrong|is behind)|culprit|suspect|responsible"),
        (About.SHOW, r"^\W*(?:please )?(?:show|list|print|display|give)\b|\bwhich (?:log )?lines\b|\blet me see\b"),
        (About.WHAT, r"what(?:'s| is) (?:wrong|going on|up|happening|broken)|symptom|\bwhat\b.*\b(?:see|seen|observed)\b|summar|status|overview"),
    )
)  # fmt: skip
_BLAME = re.compile(
    r"\bcaus|culprit|responsible|to blame|fault\b|behind (?:this|it)|because of|due to|is it\b|could (?:it|this) be|problem\b|\bguilty|innocent|ruled? out",
    re.IGNORECASE,
)
# "Is the database the cause?", where no service has that name.
_SUSPECTED = re.compile(
    r"^\W*(?:is|was|are|were|could|can|might|may)\s+(?:the |a |an |our |some )?(?P<first>[\w.-]+(?: [\w.-]+){0,2}?)\s+(?:be\s+)?(?:the |a |to |at )?"
    r"(?:root |real |likely )?(?:cause|culprit|problem|reason|blame|fault|responsible|guilty)\b"
    r"|\b(?:because of|due to|caused by)\s+(?:the |a |an |our |some )?(?P<second>[\w.-]+(?: [\w.-]+)?)",
    re.IGNORECASE,
)
_NOBODY = frozenset({"it", "this", "that", "there", "these", "what", "which", "who", "anything", "something"})
_SHOWN = (
    (Kind.LOG, re.compile(r"\blogs?\b|\blines?\b|\berrors?\b|exception|\bmessages?\b|stack", re.IGNORECASE)),
    (Kind.TRACE, re.compile(r"\btraces?\b|\bspans?\b|\brequests?\b|waterfall|\bcalls?\b", re.IGNORECASE)),
    (Kind.METRIC, re.compile(r"metric|chart|graph|plot|usage|memory|\bcpu\b|latency|\brates?\b|connections?", re.IGNORECASE)),
)  # fmt: skip

_ID = re.compile(r"\bE\d{1,3}\b")
_ENDED = {Result.WITHSTOOD: "No. ", Result.REFUTED: "Yes, it seems. ", Result.OPEN: "That is open. "}
_FILES = re.compile(
    r"attach|\bfiles?\b|\blogs?\b|\bdump|\bexport|\boutput|kubectl|\.(?:log|txt|csv|json|ya?ml)\b", re.IGNORECASE
)


def focus_on(question: str, bundle: EvidenceBundle) -> Focus:
    """Return what the question is about in this bundle; an empty question asks for the explanation as a whole."""
    named = naming.services_in(question, bundle)
    about = about_of(question, named)
    brief = briefs.write(bundle, title="")
    computed = (
        _attached(question, bundle)
        or _attempted(question, bundle, brief)
        or _computed(about, question, named, bundle, brief)
    )
    if about is About.OTHER and named and not computed:
        computed = tuple(_cited(item) for item in bundle.items if item.service in named)[:2]
    if looked_up := _looked_up(bundle):
        computed = _with_looked_up(about, computed, looked_up)
    cited = [id_ for claim in computed for id_ in claim.cites]
    asked = [item.id for item in bundle.items if item.service in named]
    by_id = [id_ for id_ in ids_in(question) if bundle.get(id_) is not None]
    relevant = (*by_id, *cited, *bundle.looked_up, *asked, *(item.id for item in _fitting(about, question, bundle)))
    return Focus(about, computed, tuple(dict.fromkeys(relevant))[:MOST_RELEVANT])


def ids_in(question: str) -> list[str]:
    """Return the ids of evidence that a question names."""
    return _ID.findall(question)


def _looked_up(bundle: EvidenceBundle) -> list[CheckedClaim]:
    """Return what was looked up for the question."""
    return [_cited(item) for id_ in bundle.looked_up if (item := bundle.get(id_)) is not None]


def _with_looked_up(
    about: About, computed: tuple[CheckedClaim, ...], looked_up: list[CheckedClaim]
) -> tuple[CheckedClaim, ...]:
    """Put what was looked up before what is pinned, in whose place it comes where that is nothing; a verdict stays first."""
    if about is About.IS_CAUSE:
        return (*computed, *looked_up)[:MOST_LISTED]
    own = [claim for claim in computed if claim.cites and about in (About.SHOW, About.COMPARE, About.CHANGED)]
    return tuple({claim.text: claim for claim in (*looked_up, *own)}.values())[:MOST_LISTED]


def about_of(question: str, named: Iterable[str]) -> About:
    """Return the kind of a question that names these services."""
    if not question.strip():
        return About.EXPLAIN
    if named and _BLAME.search(question) and not re.match(r"\s*(?:why|what|which|who|how)\b", question, re.IGNORECASE):
        return About.IS_CAUSE
    if not named and _suspected(question):
        return About.IS_CAUSE
    return next((about for about, pattern in _PATTERNS if pattern.search(question)), About.OTHER)


def _computed(
    about: About, question: str, named: list[str], bundle: EvidenceBundle, brief: briefs.Brief
) -> tuple[CheckedClaim, ...]:
    answers: dict[About, Callable[[], Iterable[CheckedClaim]]] = {
        About.EXPLAIN: lambda: brief.cause[:1],
        About.WHAT: lambda: brief.what,
        About.SINCE: lambda: (*brief.since, *brief.what[:1]),
        About.WHY: lambda: brief.cause,
        About.AFFECTED: lambda: (*brief.affected, *brief.what[:1]),
        About.RULED_OUT: lambda: brief.ruled_out or (_said("No service was ruled out."),),
        About.UNSEEN: lambda: brief.unseen or (_said("Every kind of telemetry was there for this time."),),
        About.NOW: lambda: _to_do(bundle, brief) or (_said("No runbook fits these signals."),),
        About.COMPARE: lambda: _compared(named, bundle) or (_said("No evidence item compares before and during for this."),),
        About.SHOW: lambda: _shown(question, named, bundle) or (_said("Nothing of that kind is in the evidence."),),
        About.CHANGED: lambda: _of_kind(bundle, Kind.CHANGE) or (_said("No change was recorded in the hour before the incident."),),
        About.BEFORE: lambda: _of_kind(bundle, Kind.PRECEDENT) or (_said("No similar past incident is on record."),),
        About.IS_CAUSE: lambda: (
            *(_verdict_on(service, bundle) for service in named[:2]),
            *(() if named else _unseen_suspect(_suspected(question), bundle)),
            *_leader_instead(named, bundle, brief),
        ),
        About.OTHER: lambda: (),
    }  # fmt: skip
    is_list = about in {About.NOW, About.COMPARE, About.SHOW}
    return tuple(answers[about]())[: MOST_LISTED if is_list else MOST_COMPUTED]


def _to_do(bundle: EvidenceBundle, brief: briefs.Brief) -> tuple[CheckedClaim, ...]:
    """Say what was tried without success, what to undo, then the runbook's steps by its name, then what separates the suspects, then what helped before."""
    leader = next((h.service for h in bundle.hypotheses if h.verdict != "ruled out"), "")
    undo = [
        _said(f"Consider undoing this first: {item.statement}", item.id)
        for item in bundle.items
        if item.kind is Kind.CHANGE and item.service == leader and _came_before(item)
    ]
    steps: list[CheckedClaim] = []
    others: list[CheckedClaim] = []
    for claim in brief.steps:
        item = bundle.get(claim.cites[0]) if claim.cites else None
        if item is not None and item.kind is Kind.PASSAGE:
            title = item.detail.get("title", item.title)
            steps.append(_said(f"Step {len(steps) + 1} of the runbook “{title}”: {claim.text}", item.id))
        else:
            others.append(claim)
    room = MOST_LISTED - len(undo[:1]) - len(brief.next_check) - len(others[:1]) - len(brief.tried[:1])
    return (*brief.tried[:1], *undo[:1], *steps[: max(room, 1)], *brief.next_check, *others)


def _came_before(change: Evidence) -> bool:
    """Return whether a change came before the incident, or as it began: one that came later may be the mitigation."""
    return float(change.statistic.get("before incident", {}).get("value", 0.0)) >= -AS_IT_BEGAN_SECONDS


def _compared(named: list[str], bundle: EvidenceBundle) -> tuple[CheckedClaim, ...]:
    """Say what was measured before and during, of the services named or else of the leading suspect."""
    items = [item for item in bundle.items if {"before", "after"} <= item.statistic.keys()]
    asked = [item for item in items if item.service in named] or (
        [] if named else [item for item in items if item.role is Role.CAUSE]
    )
    return tuple(_cited(item) for item in asked)


def _shown(question: str, named: list[str], bundle: EvidenceBundle) -> tuple[CheckedClaim, ...]:
    """Show the items of the kinds that the question names; of the services named, when it names any."""
    kinds = {kind for kind, words in _SHOWN if words.search(question)} or {kind for kind, _ in _SHOWN}
    return tuple(_cited(item) for item in bundle.items if item.kind in kinds and (not named or item.service in named))


def _suspected(question: str) -> str:
    """Return what the question suspects, "" when it suspects nothing."""
    found = _SUSPECTED.search(question)
    what = (found["first"] or found["second"]) if found else ""
    return "" if what.casefold() in _NOBODY else what


def _unseen_suspect(what: str, bundle: EvidenceBundle) -> tuple[CheckedClaim, ...]:
    """Say that what the question suspects sent no telemetry of its own, and which items mention it."""
    seen = joined(sorted(naming.all_services(bundle))[:6])
    mention = re.compile(rf"\b{re.escape(what)}", re.IGNORECASE)
    mentioned = [item for item in bundle.items if item.role is not Role.REMEDY and mention.search(item.statement)]
    return (
        _said(
            f"That cannot be told: “{what}” sent no telemetry of its own, so it is neither blamed nor ruled out. Seen: {seen}."
        ),
        *(_cited(item) for item in mentioned[:1]),
    )


def _attached(question: str, bundle: EvidenceBundle) -> tuple[CheckedClaim, ...]:
    """Say what attached files show, when there is nothing else or the question is about them."""
    found = [item for item in bundle.items if item.kind is Kind.ATTACHED]
    if not found or (bundle.hypotheses and not _FILES.search(question)):
        return ()
    return tuple(_cited(item) for item in found[:MOST_ATTACHED])


def _attempted(question: str, bundle: EvidenceBundle, brief: briefs.Brief) -> tuple[CheckedClaim, ...]:
    """Answer a question that an attempt to refute the leader asked, with how it ended; what leaves it open is followed by the next check."""
    wanted = " ".join(question.casefold().split()).rstrip("?. ")
    for one in bundle.assessment.attempts if bundle.assessment and wanted else ():
        if one.question.casefold().rstrip("?. ") == wanted:
            told = _said(f"{_ENDED[one.result]}{one.answer}", *one.cites)
            return (told,) if one.result is Result.WITHSTOOD else (told, *brief.next_check[:1])
    return ()


def _leader_instead(named: list[str], bundle: EvidenceBundle, brief: briefs.Brief) -> tuple[CheckedClaim, ...]:
    """Say who is the leading suspect when the question suspects others."""
    leader = next((h.service for h in bundle.hypotheses if h.verdict != "ruled out"), "")
    return brief.cause[:1] if leader and leader not in named else ()


def _verdict_on(service: str, bundle: EvidenceBundle) -> CheckedClaim:
    """Say what code decided about a service that the question suspects."""
    for hypothesis in bundle.hypotheses:
        if hypothesis.service == service:
            start = {
                "likely": f"Yes, probably: {service} is the cause with a chance of {percent(hypothesis.confidence)}",
                "possible": f"Possibly: {service} is the cause with a chance of {percent(hypothesis.confidence)}, which does not settle it",
            }.get(hypothesis.verdict, f"No: {service} was ruled out")
            cites = hypothesis.opposing if hypothesis.verdict == "ruled out" else hypothesis.supporting
            return _said(f"{start}; {hypothesis.sentence.rstrip('.')}.", *cites)
    items = [item.id for item in bundle.items if item.service == service]
    if items:
        return _said(f"Nothing points to {service} as the cause, though it shows in the evidence.", *items[:2])
    return _said(f"Nothing points to {service}: no evidence item is about it.")


def _fitting(about: About, question: str, bundle: EvidenceBundle) -> list[Evidence]:
    """Return items for the question: those of the roles that its kind needs, then those that share its words."""
    roles = {
        About.NOW: (Role.FAILED, Role.REMEDY, Role.CAUSE),
        About.BEFORE: (Role.REMEDY, Role.FAILED),
        About.CHANGED: (Role.CONTEXT, Role.CAUSE),
        About.RULED_OUT: (Role.AGAINST, Role.RIVAL),
        About.IS_CAUSE: (Role.CAUSE, Role.RIVAL, Role.AGAINST),
        About.WHAT: (Role.SYMPTOM,),
        About.SINCE: (Role.SYMPTOM, Role.CAUSE),
        About.AFFECTED: (Role.SYMPTOM,),
        About.COMPARE: (Role.CAUSE, Role.RIVAL, Role.SYMPTOM),
        About.SHOW: (Role.CAUSE, Role.SYMPTOM, Role.RIVAL),
    }.get(about, (Role.CAUSE, Role.SYMPTOM, Role.AGAINST))
    if about is not About.OTHER:
        return list(bundle.by_role(*roles))
    words = set(re.findall(r"\w{4,}", question.lower()))
    scored = [
        (len(words & set(re.findall(r"\w{4,}", f"{item.title} {item.statement}".lower()))), item)
        for item in bundle.items
    ]
    return [item for score, item in sorted(scored, key=lambda pair: -pair[0]) if score]


def _of_kind(bundle: EvidenceBundle, kind: Kind) -> list[CheckedClaim]:
    return [_cited(item) for item in bundle.items if item.kind is kind]


def _cited(item: Evidence) -> CheckedClaim:
    return _said(item.statement, item.id)


def _said(text: str, *cites: str) -> CheckedClaim:
    return CheckedClaim(text, cites, Verdict.SUPPORTED)
