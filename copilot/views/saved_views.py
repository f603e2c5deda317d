"""A list's filters under a name: a person's own, or shared with everybody who may see the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import BadRequest
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_POST

from copilot.models import SavedView
from copilot.views.access import may_see

# Page → name of its address. The first value of each key in a query counts; these are not filters.
PAGES = {"incidents": "incident-list", "alerts": "alert-list", "trends": "trends"}
NOT_FILTERS = ("csrfmiddlewaretoken", "before", "page")
MOST, NAME_LENGTH, QUERY_LENGTH = 50, 80, 1000


@dataclass(frozen=True, slots=True)
class ShownView:
    """One saved view; `is_own` says whether the person may remove it."""

    pk: int
    page: str
    name: str
    href: str
    is_own: bool
    is_shared: bool
    owner: str


def views_of(user: User | AnonymousUser) -> Sequence[ShownView]:
    """Return the person's views and those that others share, by name."""
    if not isinstance(user, User):
        return ()
    found = SavedView.objects.filter(Q(user=user) | Q(is_shared=True), page__in=PAGES).select_related("user")
    return tuple(
        ShownView(
            pk=view.pk,
            page=view.page,
            name=view.name,
            href=f"{address}?{view.query}",
            is_own=view.user_id == user.pk,
            is_shared=view.is_shared,
            owner=view.user.get_username(),
        )
        for view in found.order_by("name", "pk")[: 2 * MOST]
        if (address := _address(view.page))
    )


@may_see
@require_POST
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep the filters that are on under a name; the same name again replaces them."""
    page, name = request.POST.get("page", ""), " ".join(request.POST.get("name", "").split())[:NAME_LENGTH]
    address = _address(page)
    if not address:
        raise BadRequest(f"page={page[:40]!r}: filters can be kept for {', '.join(PAGES)}.")
    query = _filters(request.POST.get("query", ""))
    back = redirect(f"{address}?{query}")
    if not name:
        messages.error(request, "The view was not kept: give it a name.")
        return back
    owner = User.objects.get(username=request.user.get_username())
    mine = SavedView.objects.filter(user=owner)
    if not mine.filter(page=page, name=name).exists() and mine.count() >= MOST:
        messages.error(request, f"You have {MOST} views already: remove one first.")
        return back
    SavedView.objects.update_or_create(
        user=owner,
        page=page,
        name=name,
        defaults={"query": query, "is_shared": request.POST.get("shared") == "1"},
    )
    messages.success(request, f"Kept as “{name}”.")
    return back


@may_see
@require_POST
def remove_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove one's own view, for everybody it was shared with too."""
    view = get_object_or_404(SavedView, pk=pk, user=request.user.pk)
    page = view.page
    view.delete()
    return redirect(_address(page) or reverse("incident-list"))


def _address(page: str) -> str:
    try:
        return reverse(PAGES[page]) if page in PAGES else ""
    except NoReverseMatch:  # a page that this installation does not have
        return ""


def _filters(text: str) -> str:
    """Return a query without what is not a filter, one value a key, short enough to keep."""
    given = QueryDict(text.removeprefix("?"))
    kept = QueryDict(mutable=True)
    for key in given:
        if key not in NOT_FILTERS and given[key]:
            kept[key] = given[key]
    query = kept.urlencode()
    if len(query) > QUERY_LENGTH:
        raise BadRequest(f"The filters take {len(query)} characters; {QUERY_LENGTH} can be kept. Take some out.")
    return query
