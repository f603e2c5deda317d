"""What every test may rely on; the services themselves are started by tests/services.py."""

from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let the test database be emptied between tests, which the audit log refuses."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE copilot_auditentry DISABLE TRIGGER audit_not_emptied")


@pytest.fixture(autouse=True)
def nothing_recent() -> Iterator[None]:
    """Let no test see what another one's trends were within the minute."""
    yield
    from incidents.trends import recent  # here, because Django is set up by now

    recent.forget_all()
