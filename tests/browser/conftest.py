"""One JupyterLab server and one Chromium for all browser tests."""

from __future__ import annotations

import os

import pytest

from qlab.doctor import find_chromium
from tools.bench.jupyterlab import browser_at, fresh_page, jupyterlab


@pytest.fixture(scope="package")
def chromium():
    """Where Chromium is; without it, skip on a learner's machine and fail in CI."""
    path = find_chromium()
    if path is None:
        words = "Chromium is not installed, so browser tests were not run; see `qlab doctor`."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)
    return str(path)


@pytest.fixture(scope="package")
def server(chromium, tmp_path_factory):
    """Yield (address, token, root) of a JupyterLab on a copy of the notebooks."""
    with jupyterlab(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture(scope="package")
def browser(chromium):
    """Yield a Chromium."""
    with browser_at(chromium) as running:
        yield running


@pytest.fixture(scope="package")
def page(browser, server):
    """Yield a `Lab` whose page all tests share, because JupyterLab takes 5 s to load."""
    with fresh_page(browser, server) as lab:
        yield lab


@pytest.fixture
def lab(page):
    """Yield a `Lab` with no notebook open; the test's own is closed after it."""
    yield page
    page.close()
