"""These pages are looked at through Django's client; the folder above means the real server by that name."""

import pytest
from django.test import Client


@pytest.fixture
def client() -> Client:
    return Client()
