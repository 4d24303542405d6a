"""The browser of `tests/browser`, and its JupyterLab."""

from tests.browser.conftest import browser, chromium, lab, page, server

__all__ = ["browser", "chromium", "lab", "page", "server"]
