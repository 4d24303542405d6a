"""For every test, example and notebook: a new learner's progress file, never the user's own."""

import os
import tempfile

import pytest

FOLDER = pytest.StashKey()
ORDER = ("notebooks/", "tests/browser/", "tests/", "")


def pytest_configure(config):
    """Make a folder for the progress files of this run."""
    config.stash[FOLDER] = tempfile.TemporaryDirectory(prefix="qlab-progress-")
    config.add_cleanup(config.stash[FOLDER].cleanup)
    os.environ["QLAB_PROGRESS"] = os.path.join(config.stash[FOLDER].name, "progress.json")
    os.environ.setdefault("QLAB_TESTS_SHARE", config.stash[FOLDER].name)  # workers inherit it
    if "PYTEST_XDIST_WORKER" in os.environ:  # one for each core: more threads would only wait
        os.environ.setdefault("QLAB_THREADS", "1")
    if config.pluginmanager.hasplugin("nbval"):
        _compare_numbers_by_their_kind()


def _compare_numbers_by_their_kind():
    """Let nbval take a number of a notebook for the stored one, if it is near enough."""
    from nbval.plugin import IPyNbCell

    from tests.notebooks.tolerances import outputs_within

    exactly = IPyNbCell.compare_outputs

    def compare(self, test, ref, skip_compare=None):
        return exactly(self, outputs_within(test, ref), ref, skip_compare)

    IPyNbCell.compare_outputs = compare


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """A worker for each core that this process may use; four at most, for the memory."""
    from qlab.system.machine import cores

    return min(4, cores())


def pytest_collection_modifyitems(items):
    """Begin with the longest files, and let a worker keep its JupyterLab until all have used it."""
    items.sort(key=lambda item: next(i for i, x in enumerate(ORDER) if item.nodeid.startswith(x)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Give each test a file of its own; a notebook's cells share one, with their kernel."""
    one = item.path.name if item.path.suffix == ".ipynb" else item.nodeid
    name = f"{abs(hash(one)):x}.json"
    os.environ["QLAB_PROGRESS"] = os.path.join(item.config.stash[FOLDER].name, name)
