"""Decides whether an alert counts for now, and lets it count when what kept it quiet is over."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from incidents.intake import outbox
from incidents.models import Alert, AlertEvent, Hold, NeverHold, Silence
from incidents.noise import silences, survival
from incidents.noise.survival import Episode

Quiet = Alert.Quiet
FLAPS, FLAPS_WITHIN, CALM_AFTER = 4, timedelta(minutes=30), timedelta(minutes=30)
LEARNED_FROM = timedelta(days=90)
MOST_EVENTS = 4_000  # the newest that an estimate looks at
A_MESSAGE, MOST_RELEASED = 100, 5_000


def quieten(alert: Alert, *, now: datetime) -> Alert.Quiet:
    """Say why a firing alert does not count for now, "" when it does, and keep that and its end on the row (and on `alert`)."""
    return _Quietener(now=now)(alert, now)


def quietener(*, now: datetime) -> Callable[[Alert, datetime], Alert.Quiet]:
    """Return `quieten` for many alerts: what they share is asked for once."""
    return _Quietener(now=now)


class _Quietener:
    """Remembers, for one batch, the silences in force and what was learned of each name."""

    def __init__(self, *, now: datetime) -> None:
        self.silences = silences.in_force(now=now)
        self.never = set(NeverHold.objects.values_list("source_id", "name"))
        self._episodes: dict[tuple[int, str], list[Episode]] = {}

    def __call__(self, alert: Alert, now: datetime) -> Alert.Quiet:
        quiet, until = self._judge(alert, now=now)
        if (alert.quiet, alert.quiet_until) != (quiet, until):
            Alert.objects.filter(pk=alert.pk).update(quiet=quiet, quiet_until=until)
            alert.quiet, alert.quiet_until = quiet, until
        return quiet

    def _judge(self, alert: Alert, *, now: datetime) -> tuple[Alert.Quiet, datetime | None]:
        if alert.status != Alert.Status.FIRING:
            return Quiet.NO, None
        silence = silences.first_match(alert, self.silences)
        if silence is not None:
            is_window = silence.kind == Silence.Kind.MAINTENANCE
            return (Quiet.MAINTENANCE if is_window else Quiet.SNOOZED), silence.ends_at
        if alert.severity <= 1 or alert.has_user_impact:
            return Quiet.NO, None
        calm_at = _calm_at(alert, now=now)
        if calm_at is not None:
            return Quiet.FLAPPING, calm_at
        until = self._hold(alert, now=now)
        return (Quiet.HELD, until) if until else (Quiet.NO, None)

    def _hold(self, alert: Alert, *, now: datetime) -> datetime | None:
        """Return until when the alert is held, None when it is not; a new hold is written down with what it rests on."""
        last = alert.holds.first()
        if last is not None and last.ended_at is None:
            if last.until > now:
                return last.until
            Hold.objects.filter(pk=last.pk, ended_at=None).update(ended_at=now, outcome=Hold.Outcome.REAL)
            return None
        if (alert.source_id, alert.name) in self.never or (last is not None and not _has_ended_since(alert, last)):
            return None
        lasted = timedelta(0) if alert.clock_skew_seconds > 0 else max(now - alert.starts_at, timedelta(0))
        found = survival.estimate(self._past(alert, now=now), lasted=lasted, now=now)
        if found.hold is None:
            return None
        until = now - lasted + found.hold
        Hold.objects.bulk_create(
            [Hold(alert=alert, began_at=now, until=until, episodes=found.episodes, share=found.share)],
            ignore_conflicts=True,  # another worker held it in the same moment
        )
        return until

    def _past(self, alert: Alert, *, now: datetime) -> list[Episode]:
        key = alert.source_id, alert.name
        if key not in self._episodes:
            self._episodes[key] = episodes_of(source_id=alert.source_id, name=alert.name, now=now)
        return self._episodes[key]


def episodes_of(*, source_id: int, name: str, now: datetime) -> list[Episode]:
    """Return how often and how long alerts of this name fired in the last 90 days, from the newest 4,000 events."""
    newest = (
        AlertEvent.objects.filter(alert__source_id=source_id, alert__name=name, at__gte=now - LEARNED_FROM)
        .order_by("-at")
        .values_list("alert_id", "at", "status", "begins")[:MOST_EVENTS]
    )
    return survival.episodes_of(sorted(newest))


def _calm_at(alert: Alert, *, now: datetime) -> datetime | None:
    """Return when a flapping alert will have been calm for half an hour; None when it does not flap.

    The changes must have come within half an hour and lie as close together by the sender's clock, however that is set: history that
    is told late at once is no flapping.
    """
    recent = AlertEvent.objects.filter(alert=alert, received_at__gt=now - FLAPS_WITHIN).order_by("-at")
    newest = list(recent.values_list("at", "received_at")[:FLAPS])
    if len(newest) < FLAPS or newest[0][0] - newest[-1][0] > FLAPS_WITHIN:
        return None
    return max(received_at for _, received_at in newest) + CALM_AFTER


def _has_ended_since(alert: Alert, hold: Hold) -> bool:
    """Whether the episode that was held is over, so that this is another one: an alert is held once an episode."""
    return AlertEvent.objects.filter(alert=alert, status=Alert.Status.RESOLVED, received_at__gt=hold.began_at).exists()


def release_due(*, now: datetime) -> int:
    """Let alerts count again whose hold, silence or calming time is over, and have those that still fire placed. Return how many were let go.

    Up to 5,000 at a time; two workers never take the same one.
    """
    with transaction.atomic():
        due = Alert.objects.select_for_update(skip_locked=True, of=("self",)).filter(quiet_until__lte=now)
        found = list(due.order_by("quiet_until")[:MOST_RELEASED])
        ids = [alert.pk for alert in found]
        Hold.objects.filter(alert__in=ids, ended_at=None).update(ended_at=now, outcome=Hold.Outcome.REAL)
        _let_go(found)
    return len(found)


def release(alert: Alert, *, by: str, now: datetime) -> bool:
    """Let a held alert count at once, because a person wants to see it. Return False when it was not held any more."""
    with transaction.atomic():
        held = list(Alert.objects.select_for_update(of=("self",)).filter(pk=alert.pk, quiet=Quiet.HELD))
        if not held:
            return False
        Hold.objects.filter(alert=alert, ended_at=None).update(
            ended_at=now, outcome=Hold.Outcome.RELEASED, ended_by=by[:150]
        )
        _let_go(held)
    return True


def _let_go(alerts: Sequence[Alert]) -> None:
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(quiet=Quiet.NO, quiet_until=None)
    firing = sorted(alert.pk for alert in alerts if alert.status == Alert.Status.FIRING)
    for start in range(0, len(firing), A_MESSAGE):
        outbox.enqueue(task=outbox.MERGED, arguments=[firing[start : start + A_MESSAGE]], queue="detect")
