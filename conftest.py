"""For every test, example and notebook: the progress file of a new learner, not the user's own."""

import os
import tempfile

import pytest

FOLDER = pytest.StashKey()


def pytest_configure(config):
    """Make a folder for the progress files of this run."""
    config.stash[FOLDER] = tempfile.TemporaryDirectory(prefix="qlab-progress-")
    config.add_cleanup(config.stash[FOLDER].cleanup)
    os.environ["QLAB_PROGRESS"] = os.path.join(config.stash[FOLDER].name, "progress.json")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Give each test a file of its own; a notebook's cells share one, with their kernel."""
    one = item.path.name if item.path.suffix == ".ipynb" else item.nodeid
    name = f"{abs(hash(one)):x}.json"
    os.environ["QLAB_PROGRESS"] = os.path.join(item.config.stash[FOLDER].name, name)
