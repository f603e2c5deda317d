"""What people say of an answer's sentences."""

from datetime import datetime

from django.contrib.auth.models import User

from copilot.models import Claim, ClaimFeedback


def judge(claim: Claim, *, user: User, judgement: str, now: datetime) -> None:
    """Keep that somebody finds a sentence right, wrong or useless; the same word again takes it back. Raises ValueError for another word."""
    word = ClaimFeedback.Judgement(judgement)
    if ClaimFeedback.objects.filter(claim=claim, user=user, judgement=word).delete()[0]:
        return
    ClaimFeedback.objects.update_or_create(claim=claim, user=user, defaults={"judgement": word, "at": now})
