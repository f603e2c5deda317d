from collections.abc import Callable
from datetime import timedelta

import pytest


@pytest.fixture
def seconds() -> Callable[[float], timedelta]:
    return lambda value: timedelta(seconds=value)
