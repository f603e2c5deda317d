"""Records: runbooks with their revisions, postmortems, and the chunks that searches find."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q


class Document(models.Model):
    """A runbook or a postmortem: what stays the same while its text is revised."""

    class Kind(models.TextChoices):
        RUNBOOK = "runbook", "Runbook"
        POSTMORTEM = "postmortem", "Postmortem"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    slug = models.SlugField(max_length=120, unique=True)
    services = models.JSONField(default=list)  # names of the services it is about; empty means any
    tags = models.JSONField(default=list)
    owner = models.CharField(max_length=150, blank=True)  # the team or person who keeps it true

    class Meta:
        ordering = ("kind", "slug")

    def __str__(self) -> str:
        return self.slug


class Revision(models.Model):
    """One version of a document's text. Only an approved one is searchable."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        APPROVED = "approved", "Approved"
        RETIRED = "retired", "Retired"

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    title = models.CharField(max_length=300)
    markdown = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    source = models.CharField(max_length=300, blank=True)  # where it was imported from
    created_at = models.DateTimeField()
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="approved_revisions"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    reviewed_on = models.DateField(null=True, blank=True)  # when a person last found the text to be true
    # Embedding is claimed by a conditional UPDATE with a lease; chunks done stay done.
    chunked_at = models.DateTimeField(null=True, blank=True)
    indexed_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    failure = models.TextField(blank=True)

    class Meta:
        ordering = ("document", "-number")
        permissions = [("approve_revision", "Can approve and retire revisions")]
        constraints = [
            models.UniqueConstraint(fields=("document", "number"), name="revision_number_once"),
            models.UniqueConstraint(fields=("document",), condition=Q(state="approved"), name="one_approved_revision"),
            models.UniqueConstraint(fields=("document",), condition=Q(state="draft"), name="one_draft_revision"),
        ]

    def __str__(self) -> str:
        return f"{self.document} revision {self.number}"


class Chunk(models.Model):
    """A passage of one revision: the truth; the vector index holds only what can be rebuilt from it."""

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    heading = models.CharField(max_length=500, blank=True)
    text = models.TextField()
    words = models.TextField()  # heading and text as full-text search reads them: joined names also in parts
    sha256 = models.CharField(max_length=64)
    embedding_model = models.CharField(max_length=100, blank=True)
    indexed_at = models.DateTimeField(null=True, blank=True)
    search = models.GeneratedField(
        expression=SearchVector(F("words"), config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        ordering = ("revision", "position")
        constraints = [models.UniqueConstraint(fields=("revision", "position"), name="chunk_position_once")]
        indexes = [GinIndex(fields=("search",), name="chunk_search")]

    def __str__(self) -> str:
        return f"{self.revision} #{self.position} {self.heading}"
