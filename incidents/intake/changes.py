"""Changes that a delivery pipeline tells: one row a change, from its beginning to its end."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from incidents.intake.notices import ChangeNotice
from incidents.models import Change

LIVE = "live"
ENDED = ("succeeded", "failed")


def write(told_by: str, changes: Sequence[ChangeNotice], *, now: datetime) -> list[int]:
    """Keep the changes of one delivery and return the ids of their rows.

    Notices of the same change, known by its id, meet in one row: it keeps the earliest time, and an end is not undone by a beginning
    that is told late. Must be called within a transaction.
    """
    return [_write(told_by[:100], notice, now=now) for notice in changes]


def _write(told_by: str, notice: ChangeNotice, *, now: datetime) -> int:
    at = notice.at or now
    if known := _known(told_by, notice):
        _bring_up_to_date(known, notice)
        return known.pk
    row = Change(
        source=LIVE,
        at=at,
        service=notice.service,
        title=notice.title,
        version_before=notice.version_before or _version_before(notice, at=at),
        version_after=notice.version_after,
        kind=notice.kind,
        status=notice.status,
        environment=notice.environment,
        author=notice.author,
        link=notice.link,
        told_by=told_by,
        external_id=notice.external_id,
    )
    Change.objects.bulk_create([row], ignore_conflicts=True)
    found = _known(told_by, notice) or _same(notice, at=at)
    if found is None:  # deleted in between
        raise Change.DoesNotExist(f"{notice.title} was deleted while it was told again.")
    _bring_up_to_date(found, notice)
    return found.pk


def _known(told_by: str, notice: ChangeNotice) -> Change | None:
    if not notice.external_id:
        return None
    return Change.objects.select_for_update().filter(told_by=told_by, external_id=notice.external_id).first()


def _same(notice: ChangeNotice, *, at: datetime) -> Change | None:
    return (
        Change.objects.select_for_update()
        .filter(source=LIVE, at=at, service=notice.service, title=notice.title)
        .first()
    )


def _bring_up_to_date(row: Change, notice: ChangeNotice) -> None:
    changed = []
    is_over = row.status in ENDED and notice.status not in ENDED
    if notice.status and notice.status != row.status and not is_over:
        row.status = notice.status
        changed.append("status")
    for name in ("version_before", "version_after", "author", "link", "environment"):
        if getattr(notice, name) and not getattr(row, name):
            setattr(row, name, getattr(notice, name))
            changed.append(name)
    if changed:
        row.save(update_fields=changed)


def _version_before(notice: ChangeNotice, *, at: datetime) -> str:
    """Return what was deployed last in the same place, as far as it was told."""
    if not notice.version_after or notice.kind not in ("deploy", "rollback"):
        return ""
    earlier = Change.objects.filter(
        Q(status="succeeded") | Q(status=""), source=LIVE, service=notice.service, at__lt=at
    )
    found = (
        earlier.filter(environment=notice.environment)
        .exclude(version_after="")
        .order_by("-at")
        .values_list("version_after", flat=True)
        .first()
    )
    return "" if found is None or found == notice.version_after else found
