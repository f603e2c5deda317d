"""What a signal's page reads out of its rows, as plain values and sentences: what is known of it, its departures and why, what was learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from incidents import baselines, departures
from incidents.detection.anomaly import Transience
from incidents.detection.impact import number
from incidents.detection.learned import BETTER_AFTER, FULL_AFTER, USABLE_SAMPLES, Band, Maturity, band_at
from incidents.detection.outlook import WITHIN
from incidents.models import Anomaly, Departure, Incident, Signal
from incidents.models.judged import Judged

MOST_EPISODES = 50
STAGES = (
    (Maturity.NEW, "New", "not judged before 30 minutes are known"),
    (Maturity.USABLE, "Usable", "from 30 minutes on: compared with the hour before, and with where it has been"),
    (Maturity.BETTER, "Better", "after a day: compared with the same hour of the day"),
    (Maturity.FULL, "Full", "after two weeks: compared with the same hour of working days or of weekends"),
)
WORDS = {Transience.BLIP: "Blip", Transience.SUSTAINED: "Sustained", Transience.CRITICAL: "Critical"}
TONES = {Transience.BLIP: "", Transience.SUSTAINED: "warn", Transience.CRITICAL: "bad"}
MINUTES = int(WITHIN.total_seconds() / 60)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of learning."""

    name: str
    meaning: str
    is_now: bool
    is_past: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One departure as the page shows it. `outcome` says what came of it; `incident_id` is 0 where it is part of none that one may see."""

    began_at: datetime
    minutes: int
    lasts: bool
    word: str
    tone: str
    clears: str
    why: str
    outcome: str
    score: float
    incident_id: int
    reference: str


def stages_of(signal: Signal) -> tuple[Stage, ...]:
    """Return the stages of learning, with the one that the signal is in."""
    now = [stage for stage, _, _ in STAGES].index(signal.maturity)
    return tuple(
        Stage(name, said, is_now=place == now, is_past=place < now) for place, (_, name, said) in enumerate(STAGES)
    )


def next_stage(signal: Signal) -> str:
    """Say when the signal reaches its next stage, "" when it is in the last."""
    known = (signal.learned_until_at - signal.first_learned_at).total_seconds()
    match signal.maturity:
        case Maturity.NEW:
            return f"Usable in {max(USABLE_SAMPLES - signal.samples, 1)} minutes."
        case Maturity.USABLE:
            return f"Better in {max((BETTER_AFTER - known) / 3600.0, 1.0):.0f} hours."
        case Maturity.BETTER:
            return f"Full in {max((FULL_AFTER - known) / 86_400.0, 1.0):.0f} days."
        case _:
            return ""


def departures_of(signal: Signal, incidents: QuerySet[Incident], *, now: datetime) -> list[Shown]:
    """Return the newest departures, those that opened nothing too; incidents are named where they are among `incidents`."""
    anomalies = list(
        Anomaly.objects.filter(
            incident__in=incidents,
            incident__source=baselines.LIVE,
            service=signal.service,
            name=signal.name,
            attributes=signal.attributes,
        )
        .select_related("incident")
        .order_by("-started_at")[:MOST_EPISODES]
    )
    shown, left = [], anomalies
    for row in signal.departures.all()[:MOST_EPISODES]:
        part = next((one for one in left if _is_same(row, one)), None)
        left = [one for one in left if one is not part]
        shown.append(_departure(signal, row, part, now=now))
    shown += [_anomaly(signal, one, now=now) for one in left]
    return sorted(shown, key=lambda one: one.began_at, reverse=True)[:MOST_EPISODES]


def _is_same(row: Departure, anomaly: Anomaly) -> bool:
    return row.direction == anomaly.direction and abs(row.began_at - anomaly.started_at) <= departures.SAME_GAP


def _departure(signal: Signal, row: Departure, part: Anomaly | None, *, now: datetime) -> Shown:
    lasts = row.ended_at is None and now - row.seen_at <= departures.LOST_AFTER
    if part is not None:
        outcome = ""
    elif row.silent_reason:
        outcome = f"Opened nothing: {row.silent_reason}"
    else:
        outcome = "" if lasts else "Opened nothing by itself"
    transience = Transience(row.transience)
    return Shown(
        began_at=row.began_at,
        minutes=_minutes(row.began_at, row.ended_at or (now if lasts else row.seen_at)),
        lasts=lasts,
        word=WORDS[transience],
        tone=TONES[transience],
        clears=clears_of(row) if lasts else "",
        why=_why(signal, row, at=row.detected_at),
        outcome=_expected(signal, row.score) or outcome,
        score=row.score,
        incident_id=part.incident_id if part else 0,
        reference=part.incident.reference if part else "",
    )


def _anomaly(signal: Signal, row: Anomaly, *, now: datetime) -> Shown:
    """Return one that an incident holds though the signal was not learned yet when it began."""
    return Shown(
        began_at=row.started_at,
        minutes=_minutes(row.started_at, row.ended_at or now),
        lasts=row.ended_at is None,
        word=WORDS[Transience(row.transience)] if row.transience else "",
        tone=TONES[Transience(row.transience)] if row.transience else "",
        clears=clears_of(row) if row.ended_at is None else "",
        why=_why(signal, row, at=row.peaked_at),
        outcome=_expected(signal, row.score),
        score=row.score,
        incident_id=row.incident_id,
        reference=row.incident.reference,
    )


def _minutes(began_at: datetime, ended_at: datetime) -> int:
    return max(round((ended_at - began_at) / timedelta(minutes=1)), 1)


def _expected(signal: Signal, score: float) -> str:
    """Say what people's word makes of a departure so far out, "" when nothing."""
    if not signal.is_interesting:
        return "Its like opens nothing now: not interesting to people"
    if signal.expected_up_to is not None and score <= departures.EXPECTED_MARGIN * signal.expected_up_to:
        return "Its like opens nothing now: expected by people"
    return ""


def _why(signal: Signal, row: Departure | Anomaly, *, at: datetime) -> str:
    """Say why it is no usual value: how far from the hour before, and from what is usual at this hour where that is known."""
    text = (
        f"{row.direction.capitalize()} to {number(row.peak)}; in the hour before it was between {number(row.usual_low)}"
        f" and {number(row.usual_high)}: {row.score:.0f} usual spreads away."
    )
    band = usual_at(signal, at)
    if band is not None:
        where = "inside" if band.low <= row.peak <= band.high else "outside"
        text += f" That is {where} of what is usual at this hour, {number(band.low)} to {number(band.high)}."
    return text


def usual_at(signal: Signal, at: datetime) -> Band | None:
    """Return what the signal usually is at a time of the day and week, None while that is not known."""
    state = baselines.state_of(signal)
    return None if state is None else band_at(state[0], at.timestamp())


def clears_of(row: Judged) -> str:
    """Say how probably it clears by itself soon, and on what that rests; "" where nobody judged it."""
    if row.clears_share is None or row.clears_low is None or row.clears_high is None:
        return ""
    rests = f"{row.clears_known} earlier ones like it" if row.clears_known else "how departures last in general"
    return (
        f"Over by itself within {MINUTES} minutes: {row.clears_share:.0%}"
        f" ({row.clears_low:.0%} to {row.clears_high:.0%}), by {rests}."
    )


def learned_of(signal: Signal, shown: Sequence[Shown]) -> tuple[str, ...]:
    """Say what people's word changed, and what it has kept from opening since."""
    said = []
    if signal.expected_up_to is not None:
        most = departures.EXPECTED_MARGIN * signal.expected_up_to
        said.append(f"Departures up to {most:.0f} usual spreads are expected and open nothing.")
    if not signal.is_interesting:
        said.append("Not interesting: its departures open nothing.")
    if said:
        held = signal.departures.filter(silent_reason__endswith="by people").count()
        held += signal.departures.filter(silent_reason__endswith="to people").count()
        alike = sum(one.outcome.startswith("Its like") for one in shown)
        said.append(f"Kept from opening since: {held}. Of the departures above, {alike} would open nothing now.")
    return tuple(said)
