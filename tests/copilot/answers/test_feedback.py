from datetime import UTC, datetime

import pytest

from copilot.answers import feedback
from copilot.models import ClaimFeedback
from tests import cast

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def test_the_newest_word_of_each_person_counts_and_the_same_again_takes_it_back() -> None:
    ada, bo = cast.person("ada"), cast.person("bo")
    claim = cast.answered(cast.incident(), ada).claims.all()[0]
    for who, word in ((ada, "right"), (bo, "wrong"), (ada, "useless")):
        feedback.judge(claim, user=who, judgement=word, now=NOW)
    assert list(claim.feedback.values_list("user__username", "judgement")) == [("ada", "useless"), ("bo", "wrong")]
    feedback.judge(claim, user=bo, judgement="wrong", now=NOW)
    assert ClaimFeedback.objects.count() == 1
    with pytest.raises(ValueError, match="nonsense"):
        feedback.judge(claim, user=bo, judgement="nonsense", now=NOW)
