"""What somebody reads when a view fails."""

import psycopg
import pytest
from django.db import DataError, OperationalError
from django.test import RequestFactory

from copilot.views import failures


def answer_to(error: Exception, path: str = "/incidents/", **headers: str) -> tuple[int, str, str]:
    request = RequestFactory().get(path, headers=headers)
    try:
        raise error
    except (OperationalError, DataError, ZeroDivisionError):
        answer = failures.failed(request)
    return answer.status_code, answer.get("Retry-After", ""), answer.content.decode()


def full() -> OperationalError:
    error = OperationalError("could not extend file")
    error.__cause__ = psycopg.errors.DiskFull()
    return error


@pytest.mark.parametrize(
    ("error", "status", "retry", "said"),
    [
        (OperationalError("secret-host refused"), 503, "5", "The database does not answer"),
        (full(), 503, "5", "Storage full"),
        (DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), 400, "", "NUL character"),
        (ZeroDivisionError("secret"), 500, "", "Something failed here"),
    ],
)
def test_it_says_what_to_do_and_nothing_secret(
    error: Exception, status: int, retry: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/incidents/", "/api/v1/incidents"):
        answered, waits, text = answer_to(error, path)
        assert (answered, waits, said in text, "secret" in text) == (status, retry, True, False)
    error_id = caplog.messages[-1].split()[2].rstrip(":")
    assert error_id in text
