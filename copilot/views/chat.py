"""Asking: a question becomes rows and a task; the answer comes over the stream."""

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot.answers import questions
from copilot.models import Message
from copilot.views.conversation import one_message
from copilot.views.incident import known_of
from incidents.models import Incident

QUESTION_LENGTH = 2000


@require_POST
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a question; a script gets 202 and hears the rest over the stream, a plain form gets the page again."""
    get_object_or_404(Incident.objects.only("pk"), pk=pk)
    text = request.POST.get("text", "").strip()
    if not text or len(text) > QUESTION_LENGTH:
        raise BadRequest(f"A question has 1 to {QUESTION_LENGTH} characters; this one has {len(text)}.")
    questions.ask(pk, text=text, user=request.user, now=timezone.now())
    return _taken(request, pk)


@require_POST
def explain(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the explanation, again if there was one."""
    get_object_or_404(Incident.objects.only("pk"), pk=pk)
    questions.explain(pk, now=timezone.now())
    return _taken(request, pk)


@require_GET
@never_cache
def message(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    """Show one message, as the page inserts it."""
    known = known_of(pk)
    try:
        found = one_message(pk, message_id, known=known.evidence_ids)
    except Message.DoesNotExist as error:
        raise Http404(f"{known.incident.reference} has no message {message_id}.") from error
    return render(request, "copilot/chat/message.html", {"message": found, "incident": known.incident})


def _taken(request: HttpRequest, pk: int) -> HttpResponse:
    if request.headers.get("X-Requested-With") == "fetch":
        return HttpResponse(status=202)
    return redirect(reverse("incident-page", args=[pk]) + "#chat")
