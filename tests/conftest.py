"""What every test may rely on; the services themselves are started by tests/services.py."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from copilot.embedded import postgres
from tests.services import ROOT, Run


def nobody_asked() -> bool:
    """Whether pytest-django has made no test database, because no test of this run is marked to need one."""
    return bool(connection.settings_dict["NAME"] == postgres.DATABASE)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, services: Run, django_db_blocker: DjangoDbBlocker) -> None:
    """Keep a copy as the migrations have made it; then let the test database be emptied, which the audit log refuses."""
    if nobody_asked():
        return
    connection.close()
    connection.close_pool()  # what is copied must have nobody in it
    services.create_database("migrated", template=connection.settings_dict["NAME"])
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE copilot_auditentry DISABLE TRIGGER audit_not_emptied")


@pytest.fixture(scope="session")
def new_database(services: Run, django_db_setup: None) -> Callable[[str], str]:
    """Call it with a name: an empty database as the migrations make it; its URL is returned."""
    if nobody_asked():
        environment = {**os.environ, "DATABASE_URL": services.create_database("migrated", template="template1")}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True, timeout=180)
    return lambda name: services.create_database(name, template="migrated")


@pytest.fixture(autouse=True)
def nothing_recent() -> Iterator[None]:
    """Let no test see what another one's trends were within the minute."""
    yield
    from incidents.trends import recent  # here, because Django is set up by now

    recent.forget_all()
