"""Decides whether an alert counts for now, and lets it count when what kept it quiet is over."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, Q

from incidents.intake import outbox
from incidents.models import Alert, AlertEvent, Hold, NeverHold, Silence
from incidents.noise import silences, survival
from incidents.noise.survival import Episode

Quiet = Alert.Quiet
FLAPS, FLAPS_WITHIN, CALM_AFTER = 4, timedelta(minutes=30), timedelta(minutes=30)
LEARNED_FROM = timedelta(days=90)
MOST_EVENTS = 4_000  # the newest that an estimate looks at
A_MESSAGE, A_STATEMENT, MOST_RELEASED = 100, 500, 5_000


def quieten(alert: Alert, *, now: datetime) -> Alert.Quiet:
    """Say why a firing alert does not count for now, "" when it does, and keep that and its end on the row (and on `alert`)."""
    quieten_all([alert], now=now)
    return Quiet(alert.quiet)


def quieten_all(alerts: Sequence[Alert], *, now: datetime) -> None:
    """Keep on each alert, and on its row, why it does not count for now and until when; the queries are as many for one as for thousands."""
    judge = _Judge(alerts, now=now)
    changed, holds = [], []
    for alert in alerts:
        quiet, until, hold = judge(alert)
        if hold is not None:
            holds.append(hold)
        if (alert.quiet, alert.quiet_until) != (quiet, until):
            alert.quiet, alert.quiet_until = quiet, until
            changed.append(alert)
    Hold.objects.filter(pk__in=judge.over, ended_at=None).update(ended_at=now, outcome=Hold.Outcome.REAL)
    Hold.objects.bulk_create(holds, ignore_conflicts=True)  # another worker held it in the same moment
    Alert.objects.bulk_update(changed, ["quiet", "quiet_until"], batch_size=A_STATEMENT)


class _Judge:
    """Knows, for one batch, the silences in force, each alert's recent changes and last hold, and what was learned of each name."""

    def __init__(self, alerts: Sequence[Alert], *, now: datetime) -> None:
        self.now = now
        self.silences = silences.in_force(now=now)
        self.never = set(NeverHold.objects.values_list("source_id", "name"))
        self.over: list[int] = []  # holds whose time is up though nobody has ended them
        firing = [alert for alert in alerts if alert.status == Alert.Status.FIRING and not _is_grave(alert)]
        self._calm_at = _calm_at([alert.pk for alert in firing], now=now)
        last = Hold.objects.filter(alert__in=firing).order_by("alert_id", "-began_at").distinct("alert_id")
        self._last = {hold.alert_id: hold for hold in last}
        self._ended_at = _ended_at(self._last)
        self._curves = _curves({(a.source_id, a.name) for a in firing} - self.never, now=now)

    def __call__(self, alert: Alert) -> tuple[Alert.Quiet, datetime | None, Hold | None]:
        """Return why the alert is quiet, until when, and a hold that begins with it."""
        if alert.status != Alert.Status.FIRING:
            return Quiet.NO, None, None
        silence = silences.first_match(alert, self.silences)
        if silence is not None:
            is_window = silence.kind == Silence.Kind.MAINTENANCE
            return (Quiet.MAINTENANCE if is_window else Quiet.SNOOZED), silence.ends_at, None
        if _is_grave(alert):
            return Quiet.NO, None, None
        calm_at = self._calm_at.get(alert.pk)
        if calm_at is not None:
            return Quiet.FLAPPING, calm_at, None
        until, hold = self._hold(alert)
        return (Quiet.HELD, until, hold) if until else (Quiet.NO, None, None)

    def _hold(self, alert: Alert) -> tuple[datetime | None, Hold | None]:
        """Return until when the alert is held, None when it is not, and the new hold, if it is one, with what it rests on."""
        last = self._last.get(alert.pk)
        if last is not None and last.ended_at is None:
            if last.until > self.now:
                return last.until, None
            self.over.append(last.pk)
            return None, None
        # The episode that was held goes on: an alert is held once an episode.
        if last is not None and self._ended_at.get(alert.pk, last.began_at) <= last.began_at:
            return None, None
        curve = self._curves.get((alert.source_id, alert.name))
        if curve is None:
            return None, None
        lasted = timedelta(0) if alert.clock_skew_seconds > 0 else max(self.now - alert.starts_at, timedelta(0))
        found = curve.estimate(lasted=lasted)
        if found.hold is None:
            return None, None
        until = self.now - lasted + found.hold
        return until, Hold(alert=alert, began_at=self.now, until=until, episodes=found.episodes, share=found.share)


def episodes_of(*, source_id: int, name: str, now: datetime) -> list[Episode]:
    """Return how often and how long alerts of this name fired in the last 90 days, from the newest 4,000 events."""
    newest = (
        AlertEvent.objects.filter(alert__source_id=source_id, alert__name=name, at__gte=now - LEARNED_FROM)
        .order_by("-at")
        .values_list("alert_id", "at", "status", "begins")[:MOST_EVENTS]
    )
    return survival.episodes_of(sorted(newest))


def _is_grave(alert: Alert) -> bool:
    return alert.severity <= 1 or alert.has_user_impact


def _curves(names: Collection[tuple[int, str]], *, now: datetime) -> dict[tuple[int, str], survival.Curve]:
    """Return what was learned of each (source, name) whose alerts were seen to end often enough to say something."""
    resolved = Count("pk", filter=Q(status=Alert.Status.RESOLVED))
    often = (
        AlertEvent.objects.filter(
            alert__source__in={source for source, _ in names},
            alert__name__in={name for _, name in names},
            at__gte=now - LEARNED_FROM,
        )
        .order_by()
        .values("alert__source_id", "alert__name")
        .annotate(resolved=resolved)
        .filter(resolved__gte=survival.LEAST_EPISODES)
        .values_list("alert__source_id", "alert__name")
    )
    return {
        (source, name): survival.Curve(episodes_of(source_id=source, name=name, now=now), now=now)
        for source, name in often
        if (source, name) in names
    }


def _calm_at(alerts: Collection[int], *, now: datetime) -> dict[int, datetime]:
    """Return when each flapping alert will have been calm for half an hour.

    The changes must have come within half an hour and lie as close together by the sender's clock, however that is set: history that
    is told late at once is no flapping.
    """
    changes: dict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
    recent = AlertEvent.objects.filter(alert__in=alerts, received_at__gt=now - FLAPS_WITHIN).order_by("-at")
    for alert, at, received_at in recent.values_list("alert_id", "at", "received_at"):
        if len(changes[alert]) < FLAPS:
            changes[alert].append((at, received_at))
    return {
        alert: max(received_at for _, received_at in newest) + CALM_AFTER
        for alert, newest in changes.items()
        if len(newest) == FLAPS and newest[0][0] - newest[-1][0] <= FLAPS_WITHIN
    }


def _ended_at(alerts: Collection[int]) -> dict[int, datetime]:
    """Return when each alert was last told to be over."""
    ends = AlertEvent.objects.filter(alert__in=alerts, status=Alert.Status.RESOLVED).order_by()
    return dict(ends.values_list("alert_id").annotate(Max("received_at"))) if alerts else {}


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
