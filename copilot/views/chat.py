"""Asking: a question becomes rows and a task; the answer comes over the stream."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot import events
from copilot.answers import feedback, mentions, questions, steering
from copilot.known import known_of
from copilot.models import Claim, Message, Steering
from copilot.views.access import incident_of, may_respond, may_see
from copilot.views.conversation import one_message


@may_respond
@require_POST
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a question, or a message to a colleague, in a thread or not."""
    text, before = request.POST.get("text", ""), request.POST.get("reply_to", "")
    reply_to = int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else None
    user: User = request.user  # type: ignore[assignment]  # signed in: the permission says so
    return _take(request, pk, lambda: questions.ask(pk, text=text, user=user, reply_to=reply_to, now=timezone.now()))


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


@may_respond
@require_POST
def withdraw(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    """Take back one's own question while it waits for its turn."""
    waiting = get_object_or_404(
        Message.objects.select_related("question"), pk=message_id, incident_id=pk, from_copilot=True
    )
    user: User = request.user  # type: ignore[assignment]  # signed in: the permission says so

    def act() -> Message:
        if not questions.withdraw(message_id, user=user, now=timezone.now()):
            raise questions.QuestionRefused("It is being answered already, or somebody else asked it.")
        return waiting

    return _take(request, pk, act)


@may_respond
@require_POST
def steer(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    """Have the next turn of an answer that is being investigated heed some words."""
    words, user = request.POST.get("text", ""), request.user
    return _say(request, pk, message_id, lambda: steering.steer(message_id, text=words, user=user, now=timezone.now()))  # type: ignore[arg-type]  # signed in: the permission says so


@may_respond
@require_POST
def stop(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    """End an answer that is being written with what it has."""
    user = request.user
    return _say(request, pk, message_id, lambda: steering.stop(message_id, user=user, now=timezone.now()))  # type: ignore[arg-type]  # likewise


@may_respond
@require_POST
def judge(request: HttpRequest, pk: int, claim_id: int) -> HttpResponse:
    """Keep what somebody says of a sentence."""
    claim = get_object_or_404(Claim.objects.select_related("message"), pk=claim_id, message__incident_id=pk)
    user: User = request.user  # type: ignore[assignment]  # signed in: the permission says so

    def act() -> Message:
        try:
            feedback.judge(claim, user=user, judgement=request.POST.get("judgement", ""), now=timezone.now())
        except ValueError as error:
            raise BadRequest("judgement: right, wrong or useless.") from error
        events.publish(incident_id=pk, kind="message.changed", payload={"message": claim.message_id})
        return claim.message

    return _take(request, pk, act)


@may_see
@require_GET
@never_cache
def message(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    """Show one message, as the page inserts it."""
    known = known_of(incident_of(request, pk))
    try:
        found = one_message(pk, message_id, known=known.evidence)
    except Message.DoesNotExist as error:
        raise Http404(f"{known.incident.reference} has no message {message_id}.") from error
    return render(request, "copilot/chat/message.html", {"message": found, "incident": known.incident})


def _say(request: HttpRequest, pk: int, message_id: int, say: Callable[[], Steering]) -> HttpResponse:
    """Say something to an answer of this incident."""
    written = get_object_or_404(Message, pk=message_id, incident_id=pk, from_copilot=True)

    def act() -> Message:
        try:
            say()
        except steering.SteeringRefused as refusal:
            raise questions.QuestionRefused(str(refusal)) from refusal
        return written

    return _take(request, pk, act)


def _take(request: HttpRequest, pk: int, act: Callable[[], Message]) -> HttpResponse:
    """Do it; a script gets 202, or 409 with why not, and hears the rest over the stream; a plain form gets the page again."""
    incident_of(request, pk)
    is_script = request.headers.get("X-Requested-With") == "fetch"
    told = ""
    try:
        told = _told(act())
    except questions.QuestionRefused as refusal:
        if is_script:
            return HttpResponse(str(refusal), status=409, content_type="text/plain; charset=utf-8")
        messages.error(request, str(refusal))
    if is_script:
        return HttpResponse(told, status=202, content_type="text/plain; charset=utf-8")
    return redirect(reverse("incident-page", args=[pk]) + "#chat")


def _told(taken: Message) -> str:
    """Return who is meant by the @names of a message, and which of them nobody has."""
    if taken.from_copilot:
        return ""
    named = mentions.names_in(taken.text)
    people = [user.get_username() for user in mentions.people_in(taken.text)]
    known = {name.casefold() for name in people}
    nobody = [f"Nobody is called @{name}." for name in named if name.casefold() not in known]
    return " ".join([f"{', '.join(people)} will be told."] * bool(people) + nobody)
