"""Records of the conversation in Django's administration, for staff."""

from django.contrib import admin

from copilot.models import Claim, Message, ModelCall


class ClaimInline(admin.TabularInline):  # type: ignore[type-arg]  # not subscriptable at run time
    """The checked sentences of an answer; the checker's verdict is not edited."""

    model = Claim
    extra = 0
    max_num = 0
    can_delete = False
    readonly_fields = ("position", "text", "cites", "verdict", "reason")


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """Questions and answers."""

    list_display = ("incident", "author", "from_copilot", "state", "created_at", "failure")
    list_filter = ("state", "from_copilot")
    raw_id_fields = ("incident", "question")
    inlines = (ClaimInline,)


@admin.register(ModelCall)
class ModelCallAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """What model calls took."""

    list_display = ("model", "purpose", "prompt_tokens", "output_tokens", "seconds", "cost_usd", "error", "started_at")
    list_filter = ("model", "purpose")
    raw_id_fields = ("message",)
