"""Records of the conversation: messages, checked claims, the stream that pages follow, and what each model call cost."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from copilot.models.investigating import InvestigationStep, Steering
from incidents.models import Incident

__all__ = [
    "ApiToken",
    "Attachment",
    "AuditEntry",
    "Claim",
    "ClaimFeedback",
    "IdempotentReply",
    "InvestigationStep",
    "LanguageModel",
    "Message",
    "ModelCall",
    "PinnedEvidence",
    "Presence",
    "Pseudonym",
    "Rerun",
    "SavedView",
    "SignInFailure",
    "SignInLink",
    "Steering",
    "StreamEvent",
    "Unmasking",
]


class Message(models.Model):
    """One question or answer on an incident. An answer belongs to the question it answers; the first explanation to none."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        STREAMING = "streaming", "Writing"
        DONE = "done", "Done"
        PARTIAL = "partial", "Cut short"
        FAILED = "failed", "Failed"
        WITHDRAWN = "withdrawn", "Taken back"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="messages")
    # None for the co-pilot's.
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    from_copilot = models.BooleanField(default=False)
    question = models.OneToOneField("self", on_delete=models.CASCADE, null=True, blank=True, related_name="answer")
    # What a person's message is said to: a thread is what leads to one message.
    reply_to = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="replies")
    text = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DONE)
    failure = models.TextField(blank=True)  # why there is no full answer, and what to do
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)  # None while it waits in line for the models
    released_at = models.DateTimeField(
        null=True, blank=True
    )  # of an explanation nobody asked for: when it was its turn
    # What the answer was checked against, as it was then.
    pinned = models.ForeignKey("PinnedEvidence", on_delete=models.PROTECT, null=True, blank=True)

    class Meta:
        ordering = ("created_at", "pk")

    def __str__(self) -> str:
        return f"{'co-pilot' if self.from_copilot else self.author}: {self.text[:60]}"


class PinnedEvidence(models.Model):
    """A bundle as an answer saw it, tool results included; the same bundle is kept once. Answers can be written from it again."""

    sha256 = models.CharField(max_length=64, unique=True)
    bundle = models.JSONField()

    def __str__(self) -> str:
        return self.sha256[:12]


class Rerun(models.Model):
    """An answer written again from its pinned evidence by another model or with another prompt, for comparison."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="reruns")
    model = models.CharField(max_length=200)  # in the form of COPILOT_LLM; "none" for code alone
    prompt_version = models.CharField(max_length=40)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    requested_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=Message.State.choices, default=Message.State.WAITING)
    claims = models.JSONField(default=list)  # {"text", "cites", "verdict", "reason", "by_model"}
    calls = models.JSONField(default=list)  # {"model", "prompt_version", tokens, seconds, "cost_usd"}
    seconds = models.FloatField(null=True)
    failure = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.message_id} again with {self.model}"


class Claim(models.Model):
    """One checked sentence of an answer."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="claims")
    position = models.PositiveSmallIntegerField()
    text = models.TextField()
    cites = models.JSONField(default=list)
    verdict = models.CharField(max_length=12)
    reason = models.TextField(blank=True)
    by_model = models.BooleanField(default=False)  # else by code

    class Meta:
        ordering = ("message", "position")
        constraints = [models.UniqueConstraint(fields=("message", "position"), name="claim_position_once")]

    def __str__(self) -> str:
        return f"{self.verdict}: {self.text[:60]}"


class ClaimFeedback(models.Model):
    """What one person says of one sentence of an answer; the newest word of each person counts."""

    class Judgement(models.TextChoices):
        RIGHT = "right", "Right"
        WRONG = "wrong", "Wrong"
        USELESS = "useless", "Useless"

    claim = models.ForeignKey(Claim, on_delete=models.CASCADE, related_name="feedback")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="claim_feedback")
    judgement = models.CharField(max_length=10, choices=Judgement.choices)
    at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = [models.UniqueConstraint(fields=("claim", "user"), name="claim_feedback_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.judgement}"


class Presence(models.Model):
    """One open page of an incident; its socket renews `seen_at` while it is there."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="presences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="presences")
    socket = models.CharField(max_length=120, unique=True)
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.user} at {self.incident_id}"


class Attachment(models.Model):
    """A file that somebody attached to an incident: its masked lines, joined by newlines and packed with gzip. `note` says what was cut."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=120)
    text = models.BinaryField()
    sha256 = models.CharField(max_length=64)  # of the masked text
    line_count = models.PositiveIntegerField()
    note = models.TextField(blank=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    added_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = [models.UniqueConstraint(fields=("incident", "sha256"), name="attachment_text_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.line_count} lines)"


class Pseudonym(models.Model):
    """What a token in an incident's evidence stands for: encrypted, its key not in the database. `fingerprint` is an HMAC of the value."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="pseudonyms")
    kind = models.CharField(max_length=10)
    number = models.PositiveSmallIntegerField()
    fingerprint = models.CharField(max_length=64)
    sealed = models.TextField()

    class Meta:
        ordering = ("incident", "kind", "number")
        constraints = [
            models.UniqueConstraint(fields=("incident", "kind", "number"), name="pseudonym_number_once"),
            models.UniqueConstraint(fields=("incident", "fingerprint"), name="pseudonym_value_once"),
        ]
        permissions = [("unmask_personal_data", "Can see what a pseudonym stands for")]

    def __str__(self) -> str:
        return f"‹{self.kind}-{self.number}›"


class Unmasking(models.Model):
    """Somebody looked at what a pseudonym stands for, and why. A trigger writes it to the audit log; the value is in neither."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="unmaskings")
    token = models.CharField(max_length=20)
    reason = models.CharField(max_length=200, default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at",)

    def __str__(self) -> str:
        return f"{self.by} saw {self.token} of {self.incident_id}"


class ModelCall(models.Model):
    """What one call of a language model took. Unknown prices leave `cost_usd` empty."""

    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="model_calls")
    purpose = models.CharField(max_length=20)  # explain, chat, investigation, rerun
    model = models.CharField(max_length=200)
    prompt_version = models.CharField(max_length=40, blank=True)
    prompt_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    first_token_seconds = models.FloatField(null=True, blank=True)
    seconds = models.FloatField()
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField()

    class Meta:
        ordering = ("-started_at",)

    def __str__(self) -> str:
        return f"{self.model} {self.purpose} {self.seconds:.1f} s"


class LanguageModel(models.Model):
    """What is known of a configured model: what it can do, as probed, and how its circuit breaker stands. None means not known."""

    name = models.CharField(max_length=200, unique=True)
    tool_calling = models.BooleanField(null=True)
    structured_output = models.BooleanField(null=True)
    streaming = models.BooleanField(null=True)
    context_tokens = models.PositiveIntegerField(null=True)
    price_known = models.BooleanField(default=False)
    probed_at = models.DateTimeField(null=True)
    probe_again_at = models.DateTimeField(null=True)
    probe_failure = models.TextField(blank=True)
    failures = models.PositiveIntegerField(default=0)  # in a row
    last_failure = models.TextField(blank=True)
    last_failed_at = models.DateTimeField(null=True)
    rests_until = models.DateTimeField(null=True)  # the circuit is open: nobody is asked before
    retry_tokens = models.FloatField(default=10.0)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class StreamEvent(models.Model):
    """One thing that open pages should show, numbered per incident in commit order. Sockets only hint at it."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="events")
    number = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("incident", "number")
        constraints = [models.UniqueConstraint(fields=("incident", "number"), name="event_number_once")]

    def __str__(self) -> str:
        return f"{self.incident_id}/{self.number} {self.kind}"


class SignInLink(models.Model):
    """A one-time sign-in link; only the token's SHA-256 is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    token_sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sign-in link of {self.user}"


class SignInFailure(models.Model):
    """One wrong password, kept for as long as it counts towards the limit. `account` is what was typed, hashed: people type passwords there."""

    account_sha256 = models.CharField(max_length=64)
    address = models.CharField(max_length=45, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at",)
        indexes = [models.Index(fields=("account_sha256", "address", "at"))]

    def __str__(self) -> str:
        return f"failed sign-in from {self.address} at {self.at:%H:%M:%S}"


class SavedView(models.Model):
    """A list's filters under a name: a person's own, or shared with everybody."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    page = models.CharField(max_length=20)  # incidents, alerts, trends
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=1000, blank=True)
    is_shared = models.BooleanField(default=False)

    class Meta:
        ordering = ("name",)
        constraints = [models.UniqueConstraint(fields=("user", "page", "name"), name="saved_view_once")]

    def __str__(self) -> str:
        return self.name


class ApiToken(models.Model):
    """A person's token for the REST API; only its SHA-256 is kept. It can do what its scopes and the person's permissions both allow."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    token_sha256 = models.CharField(max_length=64, unique=True)
    beginning = models.CharField(max_length=12)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"


class IdempotentReply(models.Model):
    """What a request with an Idempotency-Key was answered; the same key gets the same answer for a day."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE)
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)  # empty while the first request is still being worked on
    body = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("token", "key"), name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status}"


class AuditEntry(models.Model):
    """One change of one row, written by a trigger in the same transaction; sealed into an HMAC chain by the relay, in this order.

    Nothing can change or delete an entry, except that an unsealed one is sealed once.
    """

    at = models.DateTimeField()
    actor = models.CharField(max_length=150)  # a person's user name, or "co-pilot"
    table = models.CharField(max_length=63)
    row_id = models.CharField(max_length=64)
    action = models.CharField(max_length=6)  # insert, update, delete
    before = models.JSONField(null=True)  # only what changed; secrets as "[secret]"
    after = models.JSONField(null=True)
    number = models.BigIntegerField(null=True, unique=True)  # place in the chain
    hmac = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ("-pk",)
        indexes = [
            models.Index(fields=("id",), condition=models.Q(number=None), name="audit_unsealed"),
            models.Index(fields=("table", "row_id", "-id")),
        ]

        permissions = [
            ("view_audit", "Can read the audit log"),
            ("manage_people", "Can manage people, roles and tokens"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.table} {self.row_id}"
