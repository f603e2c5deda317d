"""What is written down: runbooks and postmortems, and the audit log."""

from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema

from copilot.api.access import READ_AUDIT, READ_RUNBOOKS
from copilot.api.paging import Paging, answer, page
from copilot.api.shapes import REFUSALS, AuditShape, FoundShape, PageShape, PassageShape, ProblemShape, RunbookShape
from copilot.models import AuditEntry
from runbooks.models import Document, Revision
from runbooks.search import search

router = Router(tags=["runbooks and audit"])
_ORDER = (Revision.State.APPROVED, Revision.State.DRAFT, Revision.State.RETIRED)


class AuditFilter(Schema):
    """Which changes."""

    actor: str = Field("", max_length=150, description='a user name, or "co-pilot"')
    table: str = Field("", max_length=63)
    row: str = Field("", max_length=64)
    since: datetime | None = None
    until: datetime | None = None


@router.get("/runbooks", auth=READ_RUNBOOKS, response={200: PageShape[RunbookShape], REFUSALS: ProblemShape})
def list_runbooks(request: HttpRequest, paging: Query[Paging], kind: str = "") -> Any:
    """List runbooks and postmortems without their text."""
    found = _documents()
    if kind:
        found = found.filter(kind=kind)
    return answer(page(request, found, paging), lambda document: _runbook(document, whole=False))


@router.get("/runbooks/search", auth=READ_RUNBOOKS, response={200: FoundShape, REFUSALS: ProblemShape})
def search_runbooks(
    request: HttpRequest,
    q: str = Query(..., min_length=1, max_length=2000),  # type: ignore[type-arg]
    limit: int = Query(5, ge=1, le=20),  # type: ignore[type-arg]
) -> Any:
    """Search approved passages by meaning and by words."""
    found = search(q, limit=limit)
    passages = [
        PassageShape(
            slug=each.slug,
            kind=each.kind,
            title=each.title,
            heading=each.heading,
            text=each.text,
            revision=each.revision_number,
        )
        for each in found.passages
    ]
    return FoundShape(items=passages, degraded=found.degraded)


@router.get("/runbooks/{slug:slug}", auth=READ_RUNBOOKS, response={200: RunbookShape, REFUSALS: ProblemShape})
def get_runbook(request: HttpRequest, slug: str) -> Any:
    """Read one document: its approved text, without one its newest."""
    document = _documents().filter(slug=slug).first()
    if document is None:
        raise Http404(f"There is no document {slug}.")
    return _runbook(document, whole=True)


@router.get("/audit", auth=READ_AUDIT, response={200: PageShape[AuditShape], REFUSALS: ProblemShape})
def list_audit(request: HttpRequest, which: Query[AuditFilter], paging: Query[Paging]) -> Any:
    """List who changed what, the latest first."""
    wanted = {
        "actor": which.actor,
        "table": which.table,
        "row_id": which.row,
        "at__gte": which.since,
        "at__lte": which.until,
    }
    found = AuditEntry.objects.filter(**{name: value for name, value in wanted.items() if value})
    return answer(
        page(request, found, paging),
        lambda entry: AuditShape(**{name: getattr(entry, name) for name in AuditShape.model_fields}),
    )


def _documents() -> QuerySet[Document]:
    return Document.objects.filter(revisions__isnull=False).distinct().prefetch_related(Prefetch("revisions"))


def _runbook(document: Document, *, whole: bool) -> RunbookShape:
    revision = min(document.revisions.all(), key=lambda each: (_ORDER.index(Revision.State(each.state)), -each.number))
    return RunbookShape(
        slug=document.slug,
        kind=document.kind,
        title=revision.title,
        state=revision.state,
        revision=revision.number,
        services=document.services,
        tags=document.tags,
        owner=document.owner,
        approved_at=revision.approved_at,
        markdown=revision.markdown if whole else None,
    )
