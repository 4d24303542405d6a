"""Fixtures that every test may use."""

import os

import hypothesis
import pytest

# No deadline: how long an example takes is not a test (a busy machine would fail it). In CI the
# examples are the same from run to run.
hypothesis.settings.register_profile(
    "qlab", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis.settings.load_profile("qlab")


@pytest.fixture(scope="session")
def fashion():
    """Fashion-MNIST, found or fetched once for the whole run."""
    import qlab

    return qlab.data.load()
