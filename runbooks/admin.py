"""The records behind the runbook pages, to look at: changing them goes through curation, which keeps passages and index in step."""

from django.contrib import admin
from django.http import HttpRequest

from runbooks.models import Chunk, Document, Revision


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # the class takes no parameter at run time
    """Shows records and changes none."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - as Django calls it
        """Nobody adds one here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 - as Django calls it
        """Nobody changes one here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 - as Django calls it
        """Nobody deletes one here."""
        return False


@admin.register(Document)
class DocumentAdmin(ReadOnly):
    """Documents."""

    list_display = ("slug", "kind", "owner")
    list_filter = ("kind",)
    search_fields = ("slug",)


@admin.register(Revision)
class RevisionAdmin(ReadOnly):
    """Revisions, with how their embedding stands."""

    list_display = ("document", "number", "state", "title", "approved_at", "indexed_at", "attempts", "failure")
    list_filter = ("state",)


@admin.register(Chunk)
class ChunkAdmin(ReadOnly):
    """Passages."""

    list_display = ("revision", "position", "heading", "embedding_model", "indexed_at")
    exclude = ("search",)
