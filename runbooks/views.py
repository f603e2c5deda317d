"""Pages of the runbooks: list and search, one document, its editor. Each view makes one domain call."""

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from runbooks import curation, listing, rendering, upkeep
from runbooks.models import Document, Revision
from runbooks.search import search

RESULTS = 10
NEW_TEXT = """Say in a sentence when to use this.

## Symptom

## Confirm

## Steps

1. First step

## Do not

## Escalate
"""

may_read = permission_required("runbooks.view_document", raise_exception=True)
may_edit = permission_required("runbooks.change_revision", raise_exception=True)
may_approve = permission_required("runbooks.approve_revision", raise_exception=True)


class TextForm(forms.Form):
    """What a person writes in the editor."""

    title = forms.CharField(max_length=curation.MAX_TITLE)
    markdown = forms.CharField(strip=False, max_length=curation.MAX_MARKDOWN)
    services = forms.CharField(required=False, max_length=500)
    tags = forms.CharField(required=False, max_length=500)
    owner = forms.CharField(required=False, max_length=150)
    reviewed_on = forms.DateField(required=False)
    kind = forms.ChoiceField(required=False, choices=Document.Kind.choices)
    seen = forms.CharField(required=False)

    def text(self) -> curation.Text:
        """Return what was written, with secrets masked, as every text that comes in."""
        mask = import_string(settings.TEXT_MASK)
        given = self.cleaned_data
        return curation.Text(
            title=mask(given["title"]),
            markdown=mask(given["markdown"].replace("\r\n", "\n")),
            services=_names(given["services"]),
            tags=_names(given["tags"]),
            owner=given["owner"],
            reviewed_on=given["reviewed_on"],
        )


@may_read
@require_GET
def runbook_list(request: HttpRequest) -> HttpResponse:
    """Every document with its state, or what a search finds."""
    query = request.GET.get("q", "").strip()
    kind = request.GET.get("kind", "")
    kinds = [kind] if kind in Document.Kind.values else []
    context: dict[str, Any] = {
        "section": "runbooks",
        "query": query,
        "kind": kind,
        "kinds": Document.Kind.choices,
        "progress": upkeep.progress(),
    }
    if query:
        found = search(query, limit=RESULTS, kinds=kinds)
        context |= {"hits": listing.hits(found.passages), "degraded": found.degraded}
    else:
        context["rows"] = listing.rows(kinds=kinds, today=timezone.now().date())
    return render(request, "runbooks/list.html", context)


@may_read
@require_GET
def runbook_page(request: HttpRequest, slug: str) -> HttpResponse:
    """One document: its approved revision, else its newest, or the one asked for."""
    document = get_object_or_404(Document, slug=slug)
    revision = _chosen(document, request.GET.get("revision", ""))
    context = {
        "section": "runbooks",
        "page": listing.page(revision, today=timezone.now().date()),
        "html": rendering.render(revision.markdown, title=revision.title),
        "history": listing.history(document),
    }
    return render(request, "runbooks/page.html", context)


@may_edit
@require_http_methods(["GET", "POST"])
def runbook_new(request: HttpRequest) -> HttpResponse:
    """Write a new document's first draft."""
    form = TextForm(request.POST or None, initial={"markdown": NEW_TEXT, "kind": Document.Kind.RUNBOOK})
    if request.method == "POST" and form.is_valid():
        kind = form.cleaned_data["kind"] or Document.Kind.RUNBOOK
        try:
            revision = curation.draft(form.text(), kind=kind, by=_person(request), now=timezone.now())
        except curation.CurationError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Draft saved. Searches find it once it is approved.")
            return redirect("runbook-edit", slug=revision.document.slug)
    return _editor(request, form, None)


@may_edit
@require_http_methods(["GET", "POST"])
def runbook_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Write the document's draft, starting from the approved text."""
    document = get_object_or_404(Document, slug=slug)
    draft = document.revisions.filter(state=Revision.State.DRAFT).first()
    start = draft or _chosen(document, "")
    form = TextForm(request.POST or None, initial=_initial(start, draft))
    if request.method == "POST" and form.is_valid():
        try:
            curation.revise(
                document, form.text(), by=_person(request), now=timezone.now(), seen=form.cleaned_data["seen"]
            )
        except curation.CurationError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Draft saved. The approved text is unchanged until you approve this one.")
            return redirect("runbook-edit", slug=slug)
    return _editor(request, form, start)


@may_edit
@require_POST
def runbook_preview(request: HttpRequest) -> HttpResponse:
    """Show the text in the editor as it will read, without saving it."""
    markdown = request.POST.get("markdown", "")[: curation.MAX_MARKDOWN]
    title = request.POST.get("title", "")
    return render(request, "runbooks/preview.html", {"html": rendering.render(markdown, title=title)})


@may_approve
@require_POST
def runbook_approve(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Make the draft the text that searches find."""
    revision = get_object_or_404(Revision, document__slug=slug, number=number)
    if request.POST.get("seen") != curation.mark(revision):
        messages.error(request, "The draft was changed after you opened it. Read it again, then approve it.")
        return redirect("runbook-edit", slug=slug)
    try:
        curation.approve(revision, by=_person(request), now=timezone.now())
    except curation.CurationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Revision {number} is approved and searchable.")
    return redirect("runbook-page", slug=slug)


@may_approve
@require_POST
def runbook_retire(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Take the approved revision out of use."""
    try:
        curation.retire(get_object_or_404(Revision, document__slug=slug, number=number))
    except curation.CurationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Revision {number} is retired. No search finds it any more.")
    return redirect("runbook-page", slug=slug)


@may_edit
@require_POST
def runbook_discard(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Throw a draft away."""
    document = get_object_or_404(Document, slug=slug)
    try:
        curation.discard(get_object_or_404(Revision, document=document, number=number))
    except curation.CurationError as error:
        messages.error(request, str(error))
        return redirect("runbook-page", slug=slug)
    messages.success(request, f"Draft {number} is discarded.")
    if Document.objects.filter(pk=document.pk).exists():
        return redirect("runbook-page", slug=slug)
    return redirect("runbook-list")


@may_edit
@require_POST
def runbook_embed_again(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Let a revision that could not be embedded be tried again."""
    upkeep.try_again(get_object_or_404(Revision, document__slug=slug, number=number))
    messages.success(request, "The embed worker takes it up again within seconds.")
    return redirect("runbook-page", slug=slug)


def _editor(request: HttpRequest, form: TextForm, start: Revision | None) -> HttpResponse:
    approved = start.document.revisions.filter(state=Revision.State.APPROVED).first() if start else None
    draft = start if start and start.state == Revision.State.DRAFT else None
    context = {
        "section": "runbooks",
        "form": form,
        "slug": start.document.slug if start else "",
        "title": start.title if start else "New document",
        "draft_number": draft.number if draft else None,
        "seen": curation.mark(draft),
        "approved_number": approved.number if approved else None,
        "changes": rendering.changed_lines(approved.markdown, draft.markdown) if approved and draft else (),
        "kinds": Document.Kind.choices,
        "html": rendering.render(str(form["markdown"].value() or ""), title=str(form["title"].value() or "")),
    }
    return render(request, "runbooks/edit.html", context, status=400 if form.errors else 200)


def _initial(start: Revision, draft: Revision | None) -> dict[str, object]:
    document = start.document
    return {
        "title": start.title,
        "markdown": start.markdown,
        "services": ", ".join(document.services),
        "tags": ", ".join(document.tags),
        "owner": document.owner,
        "reviewed_on": start.reviewed_on.isoformat() if isinstance(start.reviewed_on, date) else "",
        "seen": curation.mark(draft),
    }


def _chosen(document: Document, number: str) -> Revision:
    """Return the revision with that number, or without one the approved, else the newest."""
    revisions = document.revisions.select_related("document", "author", "approved_by")
    if number:
        chosen = revisions.filter(number=int(number)).first() if number.isdecimal() and len(number) < 9 else None
    else:
        chosen = revisions.filter(state=Revision.State.APPROVED).first() or revisions.first()
    if chosen is None:
        raise Http404(f"{document.slug} has no revision {number}".strip())
    return chosen


def _person(request: HttpRequest) -> Any:
    return request.user


def _names(value: str) -> tuple[str, ...]:
    return tuple(name for part in value.split(",") if (name := part.strip()))
