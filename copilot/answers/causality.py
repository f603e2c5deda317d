"""Checks what a claim says about the cause against the verdicts that code decided: only ranked suspects may be blamed."""

import re
from collections.abc import Sequence

from copilot.answers import referents
from copilot.answers.atoms import QUOTE
from copilot.answers.lexicon import is_plain, stem, words
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind, Role
from incidents.localization.topology import downstream

# Words that a claim about a verdict needs, whatever it cites.
VOCABULARY = "likely cause caused probably possible suspect ruled out incident evidence not responsible blame culprit root service services"
_BLAMED_BEFORE = re.compile(  # "X caused …", "X is the likely cause"
    r"\b(?:caus(?:es|ed|ing)\b(?! by)|(?:root |likely |probable |main |most likely )*cause\b|trigger(?:s|ed)\b(?! by)|led to|leads to|result(?:s|ed) in|responsible for|to blame|culprit)",
    re.IGNORECASE,
)
_BLAMED_AFTER = re.compile(  # "… caused by X", "the cause is X"
    r"\b(?:caused by|triggered by|due to|because of|stem(?:s|med)? from|result of|originat(?:es|ed|ing) (?:in|from|at)|(?:root )?cause (?:of (?:the|this|these) \w+(?: \w+)? )?(?:is|was|lies in)|culprit is)\b",
    re.IGNORECASE,
)
# Says of one thing that it is the cause, whatever the thing; "caused" or "led to" alone may only tell a mechanism.
_VERDICT = re.compile(
    r"\b(?:is|are|was|were|be|as|a|the) (?:\w+ ){0,2}(?:cause|culprit)\b|\bcause (?:of [^.;]{1,40} )?(?:is|was|lies)\b|\bcaused by\b|\bto blame\b|\bresponsible for\b",
    re.IGNORECASE,
)
# "X because Y": the reason names what is to blame.
_REASON = re.compile(
    r"(?P<one>[^,;]{3,120}?),? (?:because|since(?! (?:\d|shortly|then|about|around|the (?:incident|start|beginning)|it (?:began|started)|\w+ (?:began|started)))|as a result of|owing to|due to) (?!of\b)(?P<other>[^;]{3,120})"
    r"|(?P<reason>[^,;]{3,120}?) (?:is what|which|that|and (?:thereby|so|thus)|,? ?then) (?:then )?(?:broke|exhausted|overloaded|made|forced|pushed|slowed|blocked|filled) (?P<effect>[^,;]{3,80})",
    re.IGNORECASE,
)
_LEADS_TO = re.compile(
    r"(?P<reason>[^.;]{3,160}?)\b(?:caus(?:es|ed|ing)|led to|leads to|leading to|trigger(?:s|ed)|result(?:s|ed) in)\b (?!by\b)(?P<effect>[^.;]{3,120})",
    re.IGNORECASE,
)
_REFERS = re.compile(r"\s*(?:this|that|these|those|it|they|which|both)\b", re.IGNORECASE)
_UNKNOWN = re.compile(r"\b(?:un(?:known|clear|certain|decided)|no cause)\b", re.IGNORECASE)
_NOT = re.compile(
    r"\b(?:not|no|never|isn't|wasn't|cannot|unlikely|ruled out|rules out|excluded?|innocent)\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.;]\s")
_CLAUSE_END = re.compile(r"[.,;:]\s")
_HEDGE = re.compile(
    r"\b(?:likely|probabl[ey]|possibl[ey]|may|might|could|suspect\w*|suggests?|appears?|seems?|candidate|perhaps|chance of)\b",
    re.IGNORECASE,
)
_MAYBE = re.compile(r"\b(?:possib\w+|may|might|could|perhaps|chance of)\b", re.IGNORECASE)
_THE_CAUSE = re.compile(r"\bthe (?:most )?(?:likely |probable |root |main )*cause\b", re.IGNORECASE)
_RULED_OUT = re.compile(r"\b(?:is|are|was|were|been|be) ruled out\b", re.IGNORECASE)
_CHANGE = re.compile(
    r"\b(?:deploy\w*|release\w*|roll-?out\w*|version|upgrade\w*|config\w*|change[ds]?)\b", re.IGNORECASE
)


def contradiction(text: str, bundle: EvidenceBundle) -> str:
    """Return why the claim contradicts a verdict: it blames a service that was ruled out, or clears the likely one."""
    denied = _denied(text)
    for service in blamed(text, bundle):
        for hypothesis in bundle.hypotheses:
            if hypothesis.service != service:
                continue
            if hypothesis.verdict == "ruled out" and not denied:
                return f"{service} was ruled out: {hypothesis.sentence}"
            if hypothesis.verdict == "likely" and denied:
                return f"{service} is the likely cause: {hypothesis.sentence}"
            likely = [other for other in bundle.hypotheses if other.verdict == "likely" and other.service != service]
            if (
                hypothesis.verdict == "possible"
                and likely
                and not denied
                and _THE_CAUSE.search(text)
                and not _MAYBE.search(text)
            ):
                return f"{likely[0].service} is the likely cause, {service} only a possible one."
    return _cleared_wrongly(text, bundle) or _turned(text, bundle)


def _turned(text: str, bundle: EvidenceBundle) -> str:
    """Return why what is given as the reason is none: it belongs to a service that was ruled out, or that is less likely than the other."""
    verdicts = {hypothesis.service: hypothesis for hypothesis in bundle.hypotheses}
    for sentence in _SENTENCE_END.split(QUOTE.sub(" ", text)):
        for match in _REASON.finditer(sentence):
            effect, reason = (match["one"], match["other"]) if match["one"] else (match["effect"], match["reason"])
            found, caused = _named(reason, bundle), _named(effect, bundle)
            service = found[0] if found else ""
            if not service or not caused or service == caused[0] or _NOT.search(match.group()):
                continue
            hypothesis = verdicts.get(service)
            if hypothesis is not None and hypothesis.verdict == "ruled out":
                return f"{service} was ruled out: {hypothesis.sentence}"
            other = verdicts.get(caused[0])
            if (
                other is not None
                and other.verdict == "likely"
                and (hypothesis is None or hypothesis.verdict != "likely")
            ):
                return f"{caused[0]} is the likely cause: {other.sentence}"
    return ""


def _cleared_wrongly(text: str, bundle: EvidenceBundle) -> str:
    """Return why a service that the text says was ruled out was not."""
    verdicts = {hypothesis.service: hypothesis.verdict for hypothesis in bundle.hypotheses}
    for match in _RULED_OUT.finditer(text):
        for service in _named(_CLAUSE_END.split(text[: match.start()])[-1], bundle):
            if verdicts.get(service, "ruled out") != "ruled out":
                return f"{service} was not ruled out: it is a {verdicts[service]} cause."
    return ""


def doubt(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return why a claim about the cause is not established: what no verdict names, a certainty that is none, a change that was merely near."""
    if unnamed := _unnamed(text, bundle) or _unlinked(text, items, bundle) or _unreached(text, bundle):
        return unnamed
    if _denied(text):
        return ""
    verdicts = {hypothesis.service: hypothesis.verdict for hypothesis in bundle.hypotheses}
    hedged = bool(_HEDGE.search(text))
    for service in blamed(text, bundle):
        if service not in verdicts:
            return f"Nothing ranks {service} as a cause."
        if verdicts[service] == "possible" and not hedged:
            return f"It is not certain: {service} is one possible cause."
    blames = _BLAMED_BEFORE.search(text) or _BLAMED_AFTER.search(text)
    if blames and not hedged and _CHANGE.search(text) and any(item.kind is Kind.CHANGE for item in items):
        return "That a change came shortly before does not show that it is the cause."
    return ""


def _unreached(text: str, bundle: EvidenceBundle) -> str:
    """Return why one service is not shown to harm another: no chain of calls leads from the one harmed to it."""
    for match in _REASON.finditer(QUOTE.sub(" ", text)):
        effect, reason = (match["one"], match["other"]) if match["one"] else (match["effect"], match["reason"])
        harmed, harming = _named(effect, bundle)[:1], _named(reason, bundle)[:1]
        if (
            harmed
            and harming
            and harmed != harming
            and harming[0] not in downstream(harmed[0], edges=frozenset(bundle.edges))
        ):
            return f"No call leads from {harmed[0]} to {harming[0]}, so nothing shows that the one harmed the other."
    return ""


def _unlinked(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return why a reason is doubtful where nothing was ranked: no single item tells both it and what it is given for."""
    told = [{stem(word) for word in words(" ".join((item.statement, *item.excerpt)))} for item in items]
    plain = QUOTE.sub(" ", text)
    found = [(m["one"], m["other"]) if m["one"] else (m["effect"], m["reason"]) for m in _REASON.finditer(plain)]
    found += [(m["effect"], m["reason"]) for m in _LEADS_TO.finditer(plain) if not bundle.hypotheses]
    for sides in found:
        own = [{stem(word) for word in words(side) if not is_plain(word)} for side in sides]
        if own[0] and own[1] <= own[0] and not any(c.isdigit() for c in sides[1]) and not _named(sides[1], bundle):
            return f"Nothing that is cited says “{sides[1].strip()}”."
        if said := _unranked(sides[0], sides[1], items, bundle):
            return said
        if not bundle.hypotheses and all(own) and not any(all(side & there for side in own) for there in told):
            return "No single item says that the one is the reason for the other."
    return ""


def _unranked(effect: str, reason: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return why an item that is given as the reason is none: it is beside the point, or of a service that is less likely."""
    if not bundle.hypotheses or len(items) < 2 or _named(reason, bundle):
        return ""
    one, other = referents.about(effect, items, bundle), referents.about(reason, items, bundle)
    if one is None or other is None or one is other:
        return ""
    verdicts = {hypothesis.service: hypothesis.verdict for hypothesis in bundle.hypotheses}
    if other.role is Role.CONTEXT or verdicts.get(other.service, "") != "likely" == verdicts.get(one.service, ""):
        return f"That {other.id} is the reason for {one.id} is not established."
    return ""


def _unnamed(text: str, bundle: EvidenceBundle) -> str:
    """Return why a sentence that calls something the cause without naming any service is doubtful: verdicts are about services."""
    for sentence in _SENTENCE_END.split(QUOTE.sub(" ", text)):
        if not _VERDICT.search(sentence) or _REFERS.match(sentence) or _UNKNOWN.search(sentence) or _denied(sentence):
            continue
        if not _named(sentence, bundle):
            likely = next((h.service for h in bundle.hypotheses if h.verdict == "likely"), "")
            return "No verdict names this as the cause" + (f"; the likely one is {likely}." if likely else ".")
    return ""


def _denied(text: str) -> bool:
    """Return whether the blame itself is denied: "is not the cause". A "never" in another clause or in a quotation denies nothing."""
    text = QUOTE.sub(" ", text)
    for blame in (*_BLAMED_BEFORE.finditer(text), *_BLAMED_AFTER.finditer(text)):
        before = _CLAUSE_END.split(text[: blame.start()])[-1][-40:]
        after = _CLAUSE_END.split(text[blame.end() :])[0][:25]
        if _NOT.search(f"{before}{blame.group()}{after}"):
            return True
    return False


def blamed(text: str, bundle: EvidenceBundle) -> list[str]:
    """Return the services that the text calls the cause, or says are not it: in each sentence the first named on the blamed side.

    The first is the subject; a later one is often part of what it does ("payments waits for database connections, the likely cause").
    """
    found = []
    for sentence in _SENTENCE_END.split(QUOTE.sub(" ", text)):
        after, before = _BLAMED_AFTER.search(sentence), _BLAMED_BEFORE.search(sentence)
        if after:
            found += _named(sentence[after.end() :], bundle)[:1]
        elif before:
            found += _named(sentence[: before.start()], bundle)[:1]
    return found


def _named(text: str, bundle: EvidenceBundle) -> list[str]:
    """Return the services named in the text, in order."""
    names = {*(h.service for h in bundle.hypotheses), *(end for edge in bundle.edges for end in edge), *bundle.services}
    places = (
        (re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE), name) for name in names if name
    )
    return [name for _, name in sorted((match.start(), name) for match, name in places if match)]
