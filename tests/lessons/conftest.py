"""What every test of a lesson begins and ends with."""

import pytest

from qlab.lessons import memory


@pytest.fixture(autouse=True)
def fresh_memory():
    memory.forget()
    yield
    memory.forget()
