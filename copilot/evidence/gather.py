"""Gathers an incident's evidence: symptoms, then the cause, its rivals, what speaks against, context, and what to do."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from copilot.evidence import changes, hiding, lessons, logs, metrics, passages, precedents, traces
from copilot.evidence.bundle import Evidence, EvidenceBundle, Role, from_json
from copilot.evidence.hypotheses import LEAST_SCORE, hypotheses_of, sentence_of, varied
from copilot.evidence.judgement import assess
from copilot.evidence.locating import located
from copilot.evidence.numbering import numbered
from copilot.evidence.refutation import Case
from copilot.privacy import vault
from incidents.detection.anomaly import Episode
from incidents.localization import recalibration
from incidents.localization.confidence import held
from incidents.localization.suspects import Finding, Modality, Ranking
from incidents.models import Incident, Investigation
from incidents.telemetry.backend import TelemetryBackend, TelemetryError
from incidents.telemetry.datamodel import LogRecord, MetricSeries, SeriesKey, Window
from incidents.trends import calibration
from runbooks.passages import SearchResult

CONTEXT_BEFORE = timedelta(minutes=15)  # what a chart shows before the incident
CHANGES_BEFORE = timedelta(hours=1)
SYMPTOMS, CAUSES, RIVALS, AGAINST, CHANGES, PASSAGES, PRECEDENTS = 3, 4, 2, 2, 2, 3, 2
ALIKE, LESSONS = 10, 4  # similar incidents whose lessons are looked through, and how many lessons are shown
LOG_LINES = 20_000

Search = Callable[[str, str], SearchResult]  # (query, kind of document) to passages


@dataclass
class _Sources:
    """Answers of one backend, each fetched once; a failure becomes a gap and an empty answer."""

    backend: TelemetryBackend
    incident: Window
    shown: Window
    gaps: list[str] = field(default_factory=list)
    _series: dict[SeriesKey, MetricSeries] | None = None
    _logs: dict[str, list[LogRecord]] = field(default_factory=dict)

    def series(self, services: Sequence[str]) -> dict[SeriesKey, MetricSeries]:
        if self._series is None:
            try:
                self._series = {s.key: s for s in self.backend.fetch_metrics(self.shown, services=services)}
            except TelemetryError as error:
                self.gaps.append(f"Charts are missing: {error}")
                self._series = {}
        return self._series

    def log_lines(self, service: str) -> list[LogRecord]:
        if service not in self._logs:
            try:
                self._logs[service] = self.backend.fetch_logs(self.shown, services=[service], limit=LOG_LINES)
            except TelemetryError as error:
                self.gaps.append(f"Log lines of {service} are missing: {error}")
                self._logs[service] = []
        return self._logs[service]

    def item(self, finding: Finding, *, role: Role, services: Sequence[str]) -> Evidence | None:
        """Return the item for a finding, or None for a modality that has no item of its own."""
        shown, backend = self.shown, self.backend.name
        if finding.modality is Modality.METRICS:
            return metrics.from_finding(finding, role=role, series=self.series(services), window=shown, backend=backend)
        if finding.modality is Modality.LOGS:
            lines = self.log_lines(finding.service)
            return logs.from_finding(
                finding, role=role, lines=lines, since=self.incident.start, window=shown, backend=backend
            )
        if finding.modality is Modality.TRACES:
            spans = self.backend.fetch_trace(bytes.fromhex(finding.trace_id)) if finding.trace_id else []
            return traces.from_finding(finding, role=role, spans=spans, window=shown, backend=backend)
        return None


def gather(
    incident: Incident, *, window: Window, backend: TelemetryBackend, ranking: Ranking, search: Search, now: datetime
) -> EvidenceBundle:
    """Return the pinned evidence of an incident: items E1…En in reading order, hypotheses, gaps and the next check.

    `window` is the incident's. Personal data are tokens in all of it. What cannot be fetched is named in `gaps`; nothing is raised for it.
    Raises HidingFailed.
    """
    stated_chance = ranking.suspects[0].confidence if ranking.suspects else 0.0
    ranking = recalibration.apply(ranking, calibration.in_use(now=now))
    sources = _Sources(backend, window, Window(window.start - CONTEXT_BEFORE, window.end))
    episodes = [anomaly.episode for anomaly in incident.anomalies.all()]
    drafts = [
        *_measured(ranking, sources, episodes, services=incident.services),
        *_knowledge(incident, ranking, sources, search),
    ]
    former, pseudonyms = _former(incident), vault.of_incident(incident.pk)
    items, earlier = numbered((hiding.item(draft, pseudonyms) for draft in _once(drafts)), former=former)
    case = Case(ranking, items, episodes, start=window.start, end=max(window.end, incident.last_anomaly_at))
    assessment = replace(assess(case), uncorrected=round(stated_chance, 3))
    # One figure for each suspect from here on, whoever shows it.
    stated = held(ranking, at_most=assessment.confidence)
    hypotheses = hypotheses_of(stated, items, assessment)
    where = located(stated, hypotheses=hypotheses, items=items, episodes=episodes, began_at=window.start)
    bundle = EvidenceBundle(
        gathered_at=now,
        incident_start=window.start,
        incident_end=window.end,
        services=tuple(incident.services),
        items=items,
        hypotheses=hypotheses,
        gaps=tuple(dict.fromkeys([*_missing(ranking), *sources.gaps])),
        next_check=ranking.next_check,
        edges=ranking.edges,
        earlier=earlier,
        shifted_by_seconds=former.shifted_by_seconds if former else 0.0,
        assessment=assessment,
        located=where,
    )
    return hiding.hide(bundle, pseudonyms)


def measured(
    ranking: Ranking, *, window: Window, backend: TelemetryBackend, episodes: Sequence[Episode]
) -> tuple[Evidence, ...]:
    """Return what telemetry alone shows of a window, numbered: what a verdict rests on, without a record and without knowledge."""
    sources = _Sources(backend, window, Window(window.start - CONTEXT_BEFORE, window.end))
    services = {episode.key.service for episode in episodes}
    return numbered(_once(_measured(ranking, sources, episodes, services=services)), former=None)[0]


def _measured(
    ranking: Ranking, sources: _Sources, episodes: Sequence[Episode], *, services: Iterable[str]
) -> Iterator[Evidence]:
    looked_at = sorted({*services, *(s.service for s in ranking.suspects[:3]), *(r.service for r in ranking.ruled_out)})
    yield from _symptoms(episodes, sources, looked_at)
    yield from _causes(ranking, sources, looked_at)
    yield from _changes(sources)


def _former(incident: Incident) -> EvidenceBundle | None:
    """Return what an earlier investigation of the incident pinned; None at the first."""
    found = Investigation.objects.filter(incident=incident).values_list("evidence", flat=True).first()
    return from_json(found) if found else None


def _symptoms(found: Sequence[Episode], sources: _Sources, services: Sequence[str]) -> Iterator[Evidence]:
    """Yield the worst departures, one a service and kind of signal, those that users feel first."""
    felt = {"error_ratio": 0, "duration_p95": 1, "duration_p99": 1, "duration_p50": 2, "requests_per_second": 3}
    episodes = sorted(
        found,
        key=lambda e: (felt.get(e.key.name, 4), e.key.attributes != "{}", -e.score),
    )
    seen: set[tuple[str, int]] = set()
    for episode in episodes:
        group = (episode.key.service, felt.get(episode.key.name, 4))
        if group in seen or len(seen) == SYMPTOMS:
            continue
        seen.add(group)
        yield metrics.from_episode(
            episode, series=sources.series(services), window=sources.shown, backend=sources.backend.name
        )


def _causes(ranking: Ranking, sources: _Sources, services: Sequence[str]) -> Iterator[Evidence]:
    for rank, suspect in enumerate(s for s in ranking.suspects[:3] if s.score >= LEAST_SCORE):
        role, limit = (Role.CAUSE, CAUSES) if rank == 0 else (Role.RIVAL, RIVALS if rank == 1 else 1)
        for finding in _shown(suspect.findings, limit):
            yield from _present(sources, finding, role, services)
    for ruled in ranking.ruled_out[:AGAINST]:
        if ruled.finding is not None:
            yield from _present(sources, ruled.finding, Role.AGAINST, services)
    traffic = metrics.traffic(
        sources.series(services).values(), incident=sources.incident, window=sources.shown, backend=sources.backend.name
    )
    if traffic is not None:
        yield traffic


def _present(sources: _Sources, finding: Finding, role: Role, services: Sequence[str]) -> Iterator[Evidence]:
    try:
        item = sources.item(finding, role=role, services=services)
    except TelemetryError as error:
        sources.gaps.append(f"{finding.service} {finding.statistic} could not be shown: {error}")
        return
    if item is not None:
        yield item


def _shown(findings: Sequence[Finding], limit: int) -> list[Finding]:
    """Return the strongest findings that have an item of their own."""
    return varied(
        [f for f in findings if f.modality in (Modality.METRICS, Modality.TRACES, Modality.LOGS)], limit=limit
    )


def _changes(sources: _Sources) -> Iterator[Evidence]:
    looked_at = Window(sources.incident.start - CHANGES_BEFORE, sources.incident.end)
    try:
        found = sources.backend.fetch_changes(looked_at)
    except TelemetryError as error:
        sources.gaps.append(f"Changes are missing: {error}")
        return
    if not found:
        sources.gaps.append("No change was recorded in the hour before; changes that nobody reports cannot be seen.")
    for change in changes.nearest(found, incident_start=sources.incident.start, limit=CHANGES):
        yield changes.from_record(
            change, incident_start=sources.incident.start, window=looked_at, backend=sources.backend.name
        )


def _knowledge(incident: Incident, ranking: Ranking, sources: _Sources, search: Search) -> Iterator[Evidence]:
    query = search_text(incident, ranking)
    found = search(query, "runbook")
    if found.degraded:
        sources.gaps.append(found.degraded)
    backend = "runbook search"
    for passage in found.passages[:PASSAGES]:
        yield passages.from_passage(passage, window=sources.shown, backend=backend)
    alike = precedents.similar_incidents(incident, suspect=_leading(ranking), limit=ALIKE)
    for other, shared in alike[:PRECEDENTS]:
        yield precedents.from_incident(other, shared=shared, window=sources.shown)
    for lesson in lessons.told([incident, *(other for other, _ in alike)], limit=LESSONS):
        yield lessons.from_lesson(lesson, is_own=lesson.incident_id == incident.pk, window=sources.shown)
    for passage in search(query, "postmortem").passages[:1]:
        yield precedents.from_postmortem(passage, window=sources.shown, backend=backend)


def _leading(ranking: Ranking) -> tuple[str, str]:
    """Return the leading suspect and the kind of its fault; two "" when there is none."""
    return (ranking.suspects[0].service, ranking.suspects[0].family.value) if ranking.suspects else ("", "")


def search_text(incident: Incident, ranking: Ranking) -> str:
    """Return what is searched for in the runbooks: the title, and the leading suspect's strongest findings in words."""
    parts = [incident.title]
    for suspect in ranking.suspects[:1]:
        parts += [suspect.service, sentence_of(suspect)]
        parts += [f"{f.statistic} {f.operation} {f.template}".strip() for f in _shown(suspect.findings, 3)]
    return " ".join(parts)[:800]


def _missing(ranking: Ranking) -> list[str]:
    return [f"There were no {modality.value} for this time, so nothing rests on them." for modality in ranking.missing]


def _once(drafts: Iterable[Evidence]) -> list[Evidence]:
    """Drop an item that shows what an earlier one shows already; a symptom that is also the cause keeps the first place."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for draft in drafts:
        shows = (draft.kind.value, draft.query if draft.kind.value in ("metric", "log") else draft.statement)
        if shows not in seen:
            seen.add(shows)
            kept.append(draft)
    return kept
