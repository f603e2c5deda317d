"""Pins a ranking beside the evidence that shows it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from copilot.evidence.bundle import Evidence, Hypothesis
from copilot.evidence.findings import dotted, said
from copilot.evidence.hypotheses import sentence_of
from copilot.evidence.located import Cleared, Departed, Located, LocatedSuspect
from copilot.evidence.metrics import label
from copilot.evidence.wording import quantity
from incidents.detection.anomaly import Direction, Episode
from incidents.localization.confidence import stands_out
from incidents.localization.suspects import Finding, Modality, Ranking, Suspect

RULED_OUT = "ruled out"
SHOWN, MOST_SPREAD = 5, 12
# Below this a finding is what healthy systems show now and then, and tells no time.
TELLING = 1.0
LEAST_CONFIDENCE = 0.01
LONGEST_PLACE = 160


def located(
    ranking: Ranking,
    *,
    hypotheses: Sequence[Hypothesis],
    items: Sequence[Evidence],
    episodes: Iterable[Episode],
    began_at: datetime,
) -> Located:
    """Return what the page shows of a ranking; `hypotheses` say which items speak for and against whom, `episodes` are the incident's."""
    standing = {one.service: one for one in hypotheses if one.verdict != RULED_OUT}
    cleared = {one.service for one in hypotheses} - set(standing)
    ids = {item.id for item in items}
    worth = [one for one in ranking.suspects if one.confidence >= LEAST_CONFIDENCE and one.service not in cleared]
    spread = _spread(ranking, episodes, since=began_at)
    began = {one.service: one.at for one in spread}
    suspects = tuple(_suspect(one, standing.get(one.service), since=began.get(one.service)) for one in worth[:SHOWN])
    return Located(
        is_named=stands_out(ranking),
        lead=round(ranking.lead, 3),
        suspects=suspects,
        cleared=tuple(
            Cleared(one.service, one.sentence, tuple(cite for cite in one.opposing if cite in ids))
            for one in hypotheses
            if one.service in cleared
        ),
        spread=spread[:MOST_SPREAD],
        missing=tuple(modality.value for modality in ranking.missing),
        requests=ranking.grounds.requests if ranking.grounds else 0,
    )


def _suspect(suspect: Suspect, cited: Hypothesis | None, *, since: datetime | None) -> LocatedSuspect:
    return LocatedSuspect(
        service=suspect.service,
        confidence=round(suspect.confidence, 3),
        why=cited.sentence if cited else sentence_of(suspect),
        family=suspect.family.value,
        place_kind=suspect.inner.kind,
        place=dotted(suspect.inner.name)[:LONGEST_PLACE],
        operation=suspect.inner.operation[:LONGEST_PLACE],
        since=since,
        supporting=cited.supporting if cited else (),
        opposing=cited.opposing if cited else (),
    )


def _telling(suspect: Suspect) -> list[Finding]:
    return [one for one in suspect.findings if one.strength >= TELLING and one.modality is not Modality.CHANGES]


def _left(episode: Episode) -> str:
    """Return what a series did: "p95 response time of POST /pay rose to 2.6 s, usual 40 ms to 60 ms"."""
    key = episode.key
    verb = "rose to" if episode.direction == Direction.UP else "dropped to"
    usual = f"usual {quantity(episode.usual_low, key.unit)} to {quantity(episode.usual_high, key.unit)}"
    return f"{label(key).removeprefix(key.service).strip()} {verb} {quantity(episode.peak, key.unit)}, {usual}"


def _spread(ranking: Ranking, episodes: Iterable[Episode], *, since: datetime) -> tuple[Departed, ...]:
    """Return when each service first left its usual range, by findings and by the anomalies that opened the incident."""
    seen = [
        Departed(suspect.service, finding.onset_at, said(finding))
        for suspect in ranking.suspects
        for finding in _telling(suspect)
        if finding.onset_at
    ]
    # What was over before the incident began is another story.
    lasting = [one for one in episodes if one.ended_at is None or one.ended_at > since]
    seen += [Departed(one.key.service, one.started_at, _left(one)) for one in lasting]
    first: dict[str, Departed] = {}
    for one in sorted(seen, key=lambda departed: (departed.at, departed.service)):
        first.setdefault(one.service, one)
    return tuple(first.values())
