"""Asking: a question becomes rows and a task; the answer comes over the stream."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot.answers import questions
from copilot.models import Message
from copilot.views.access import incident_of, may_respond, may_see
from copilot.views.conversation import one_message
from copilot.views.known import known_of


@may_respond
@require_POST
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a question."""
    text, user = request.POST.get("text", ""), request.user
    return _take(request, pk, lambda: questions.ask(pk, text=text, user=user, now=timezone.now()))  # type: ignore[arg-type]


@may_respond
@require_POST
def explain(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the explanation, again if there was one."""
    return _take(request, pk, lambda: questions.explain(pk, now=timezone.now()))


@may_respond
@require_POST
def retry(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    """Ask again for an answer that failed or was cut short."""
    get_object_or_404(Message.objects.only("pk"), pk=message_id, incident_id=pk, from_copilot=True)
    return _take(request, pk, lambda: questions.retry(message_id, now=timezone.now()))


@may_see
@require_GET
@never_cache
def message(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    """Show one message, as the page inserts it."""
    known = known_of(incident_of(request, pk))
    try:
        found = one_message(pk, message_id, known=known.evidence_ids)
    except Message.DoesNotExist as error:
        raise Http404(f"{known.incident.reference} has no message {message_id}.") from error
    return render(request, "copilot/chat/message.html", {"message": found, "incident": known.incident})


def _take(request: HttpRequest, pk: int, act: Callable[[], Message]) -> HttpResponse:
    """Do it; a script gets 202, or 409 with why not, and hears the rest over the stream; a plain form gets the page again."""
    incident_of(request, pk)
    is_script = request.headers.get("X-Requested-With") == "fetch"
    try:
        act()
    except questions.QuestionRefused as refusal:
        if is_script:
            return HttpResponse(str(refusal), status=409, content_type="text/plain; charset=utf-8")
        messages.error(request, str(refusal))
    return HttpResponse(status=202) if is_script else redirect(reverse("incident-page", args=[pk]) + "#chat")
