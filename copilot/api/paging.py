"""Pages of a list by the last row seen, so that a page costs the same however far it is, and rows that come meanwhile move nothing."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from ninja import Field, Schema

from copilot.api.problems import Problem

MOST = 200
Row = TypeVar("Row", bound=Model)


class Paging(Schema):
    """Which page of a list."""

    limit: int = Field(50, ge=1, le=MOST, description="rows in a page")
    after: str = Field("", max_length=200, description="from the `next` of the page before; made by the API")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows, and the address of the page after them, None on the last."""

    rows: list[Row]
    next: str | None


def page(request: HttpRequest, found: QuerySet[Row], paging: Paging, *, newest_by: str = "") -> Page[Row]:
    """Return a page in descending order of `newest_by` (a field that is never null) and id; of id alone without it.

    Raises Problem (400) for an `after` that the API did not make.
    """
    found = found.order_by(*([f"-{newest_by}"] if newest_by else []), "-pk")
    if paging.after:
        found = _after(found, _read(paging.after, parts=2 if newest_by else 1), newest_by=newest_by)
    rows = list(found[: paging.limit + 1])
    more = len(rows) > paging.limit
    rows = rows[: paging.limit]
    return Page(rows, _next(request, rows[-1], newest_by=newest_by) if more else None)


def answer(found: Page[Row], shown: Callable[[Row], Any]) -> dict[str, Any]:
    """Return a page as the API gives it."""
    return {"items": [shown(row) for row in found.rows], "next": found.next}


def _after(found: QuerySet[Row], place: list[Any], *, newest_by: str) -> QuerySet[Row]:
    try:
        if not newest_by:
            return found.filter(pk__lt=int(place[0]))
        field = found.model._meta.get_field(newest_by)
        value, key = field.to_python(place[0]), int(place[1])  # type: ignore[union-attr]
    except (ValueError, TypeError, OverflowError, ValidationError) as error:
        raise _foreign() from error
    return found.filter(**{f"{newest_by}__lte": value}).exclude(**{newest_by: value, "pk__gte": key})


def _next(request: HttpRequest, last: Model, *, newest_by: str) -> str:
    place = [last.pk] if not newest_by else [getattr(last, newest_by).isoformat(), last.pk]
    query = request.GET.copy()
    query["after"] = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _read(cursor: str, *, parts: int) -> list[Any]:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, binascii.Error) as error:
        raise _foreign() from error
    if not isinstance(place, list) or len(place) != parts:
        raise _foreign()
    return place


def _foreign() -> Problem:
    return Problem(400, "`after` is not one that the API gave: follow `next` of the page before, or leave it out.")
