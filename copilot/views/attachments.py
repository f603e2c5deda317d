"""Files attached to an incident: taken in, and shown by line."""

import re
from collections.abc import Sequence

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot.evidence.attached import rows
from copilot.evidence.attached.files import MOST_BYTES, UnreadableFile
from copilot.views.access import incident_of, may_respond, may_see

_WORDS = re.compile(r'"([^"]+)"|(\S+)')
LINES_SHOWN = 400  # of a file on its page
HITS_SHOWN = 200  # of a search in it
LONGEST_SEARCH = 200  # characters


@may_respond
@require_POST
def attach(request: HttpRequest, pk: int) -> HttpResponse:
    """Take files; what they show is in the evidence a moment later. 409 with the reason for one that cannot be read."""
    incident = incident_of(request, pk)
    in_place = request.headers.get("X-Requested-With") == "fetch"
    try:
        kept = [_take(request, pk, file) for file in request.FILES.getlist("file")]
    except UnreadableFile as refused:
        if in_place:
            return HttpResponse(str(refused), status=409, content_type="text/plain; charset=utf-8")
        messages.error(request, str(refused))
        return redirect("incident-page", pk=pk)
    if in_place:
        return HttpResponse(", ".join(kept), status=201, content_type="text/plain; charset=utf-8")
    messages.success(request, f"Attached: {', '.join(kept) or 'no file was chosen'}.")
    return redirect("incident-page", pk=incident.pk)


def _take(request: HttpRequest, pk: int, file: "UploadedFile[bytes]") -> str:
    if (file.size or 0) > MOST_BYTES:
        raise UnreadableFile(f"{file.name} has {(file.size or 0) / 1e6:.0f} MB; {MOST_BYTES / 1e6:.0f} MB are allowed.")
    kept = rows.attach(
        incident_of(request, pk),
        name=file.name or "file",
        content=file.read(),
        by=request.user,  # type: ignore[arg-type]  # signed in: the permission says so
        now=timezone.now(),
    )
    return kept.name


@may_see
@require_GET
@never_cache
def attachment_page(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Show a file around ?line=N, at most 400 lines at once; with ?q= the lines that hold these words, too."""
    incident = incident_of(request, pk)
    attachment = incident.attachments.filter(name=name).order_by("-pk").first()
    if attachment is None:
        raise Http404(f"{incident.reference} has no attached file {name!r}.")
    try:
        line = int(request.GET.get("line", "1"))
    except ValueError as error:
        raise BadRequest("line: give the number of a line, for example ?line=12.") from error
    lines = rows.lines_of(attachment)
    line = min(max(line, 1), len(lines))
    first = max(1, min(line - LINES_SHOWN // 2, len(lines) - LINES_SHOWN + 1))
    last = min(len(lines), first + LINES_SHOWN - 1)
    query = request.GET.get("q", "").strip()[:LONGEST_SEARCH]
    hits = _hits(lines, query)
    context = {
        "incident": incident,
        "attachment": attachment,
        "q": query,
        "hits": hits[:HITS_SHOWN],
        "hits_total": len(hits),
        "line": line if "line" in request.GET else 0,
        "lines": [{"number": number, "text": lines[number - 1]} for number in range(first, last + 1)],
        "before": max(1, first - LINES_SHOWN // 2) if first > 1 else 0,
        "after": min(len(lines), last + LINES_SHOWN // 2) if last < len(lines) else 0,
    }
    return render(request, "copilot/attachment.html", context)


def _hits(lines: Sequence[str], query: str) -> list[dict[str, object]]:
    """Return the lines that hold every word of a search, whatever the capitals; words in quotation marks belong together."""
    words = [(one or other).casefold() for one, other in _WORDS.findall(query)]
    if not words:
        return []
    found = ((number, line) for number, line in enumerate(lines, start=1) if all(w in line.casefold() for w in words))
    return [{"number": number, "text": line} for number, line in found]
